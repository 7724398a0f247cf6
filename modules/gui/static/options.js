// The settings that scripts follow stay up to date, whoever changes them and where.
import { listen } from "./events.js";
import { address } from "./texts.js";

export function watchOptions() {
    const { options } = window.atelierBoot;
    listen("settings", async ({ keys }) => {
        if (!keys.some((key) => key in options)) return;
        const answer = await fetch(address("internal/gui/options")).catch(() => null);
        if (answer?.ok) Object.assign(options, await answer.json());
    });
}

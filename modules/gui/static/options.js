// The settings that scripts follow stay up to date, whoever changes them and where.
import { listen } from "./events.js";
import { address } from "./texts.js";

export function watchOptions() {
    const { options } = window.atelierBoot;
    const renew = async () => {
        const answer = await fetch(address("internal/gui/options")).catch(() => null);
        if (answer?.ok) Object.assign(options, await answer.json());
    };
    listen("settings", ({ keys }) => keys.some((key) => key in options) && renew());
    // What changed while nobody listened: before the first news of a connection, or since it broke.
    let missed = true;
    listen("lost", () => (missed = true));
    listen("queue", () => {
        if (missed) void renew();
        missed = false;
    });
}

// The page asks nobody but the studio (Content-Security-Policy). A script of an extension that asks somebody else is
// refused by the browser without a word to the user: here it is said, once for each computer, with the way out.
import { t } from "./texts.js";
import { toast } from "./toast.js";

const told = new Set();

export function watchElsewhere() {
    document.addEventListener("securitypolicyviolation", ({ blockedURI, sourceFile, disposition }) => {
        const asked = URL.canParse(blockedURI) ? new URL(blockedURI) : null;
        if (!asked || !/^(https?|wss?):$/.test(asked.protocol) || disposition !== "enforce") return;
        const host = `${asked.protocol}//${asked.host}`;
        if (told.has(host)) return;
        told.add(host);
        const [, extension] = /file=(?:.*\/)?extensions\/([^/]+)/.exec(decodeURI(sourceFile)) ?? [];
        const sentence = extension ? t("elsewhere", { host, extension }) : t("elsewhere_some", { host });
        console.warn(sentence);
        toast(sentence, "warning", 15);
    });
}

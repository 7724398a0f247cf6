// Gradio 6.31 says nothing when an event that does not wait in its queue fails: its client loses the message's
// "visible". Our events never wait there, so the answers are looked at here, before Gradio gets them.
import { t } from "./texts.js";
import { toast } from "./toast.js";
import { tell as say } from "./told.js";

const EVENTS = /\/gradio_api\/run\//;

export function tellErrors() {
    const ask = window.fetch;
    window.fetch = async (resource, options) => {
        const event = EVENTS.test(String(resource?.url ?? resource));
        try {
            const answer = await ask(resource, options);
            if (event && answer.status >= 400) tell(await answer.clone().json().catch(() => ({})), answer.status);
            return answer;
        } catch (error) {
            if (event) toast(t("no_answer"), "error");
            throw error;
        }
    };
}

function tell({ error, title, detail }, status) {
    const sentence = error || (typeof detail === "string" && detail) || t("event_failed", { status });
    say(plain(sentence), "error", 0, title);
}

/** The text of `html`: messages are escaped, since Gradio would show them as HTML. */
function plain(html) {
    return new DOMParser().parseFromString(html, "text/html").documentElement.textContent;
}

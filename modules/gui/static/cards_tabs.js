// The tabs of cards below the prompts; their code comes when the first one is opened.
const panes = {};

export const handlers = {
    openCards: async (tab, page, kind) => {
        const Pane = kind.startsWith("a1111/") ? (await import("./cards_extension.js")).ExtensionPane : (await import("./cards.js")).Pane;
        const root = document.getElementById(`${tab}_${page}_pane`);
        if (panes[root.id]?.root !== root) panes[root.id] = new Pane(root, tab, page, kind);
        return void (await panes[root.id].open());
    },
    closeCards: () => Object.values(panes).forEach((pane) => pane.close()),
};

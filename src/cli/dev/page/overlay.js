// Put at the end of HTML pages that pass a proxy under `weir dev`: shows what is wrong with filters and configuration
// over the page, and goes when it is mended. Its texts are put in as text, never as markup.
(() => {
  const own = new URL(document.currentScript.src);
  if (customElements.get('weir-overlay')) return;

  const STYLE = `
    :host { position: fixed; inset: 0; z-index: 2147483647; background: rgb(0 0 0 / 66%); overflow: auto; }
    main { box-sizing: border-box; max-width: 60rem; margin: 2rem auto; padding: 1.5rem 2rem; background: #181818;
      color: #ddd; border-top: 6px solid #ff6b6b; border-radius: 6px; font: 14px/1.5 ui-monospace, monospace;
      white-space: pre-wrap; overflow-wrap: anywhere; }
    b { color: #ff6b6b; } i { color: #8bd5ff; font-style: normal; } p { margin: 1.5rem 0 0; color: #999; }
    pre { margin: 0.5rem 0; padding: 0.5rem 0.75rem; background: #000; overflow-x: auto; white-space: pre; }`;

  class Overlay extends HTMLElement {
    show(faults) {
      const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
      const main = make('main', '');
      main.addEventListener('click', (event) => event.stopPropagation());
      for (const fault of faults) main.append(...lines(fault));
      main.append(make('p', 'Esc or a click beside it hides this. It goes when the fault is mended.'));
      root.replaceChildren(make('style', STYLE), main);
    }
  }
  customElements.define('weir-overlay', Overlay);
  const overlay = document.createElement('weir-overlay');
  overlay.addEventListener('click', () => overlay.remove());
  addEventListener('keydown', (event) => event.key === 'Escape' && overlay.remove());

  const events = new EventSource(`${own.origin}/events${own.search}`);
  events.addEventListener('state', ({ data }) => {
    const faults = JSON.parse(data).faults.flatMap(({ list }) => list);
    if (faults.length === 0) return overlay.remove();
    overlay.show(faults);
    document.documentElement.append(overlay);
  });

  function lines({ code, message, hint, file, line, column, length, sourceLine }) {
    const parts = [
      make('div', [
        make('i', line > 0 ? `${file}:${line}:${column}` : file),
        ' ',
        make('b', code),
        ' ',
        message,
      ]),
    ];
    if (sourceLine !== undefined) {
      const caret = sourceLine.slice(0, column - 1).replace(/[^\t]/g, ' ') + '^'.repeat(length);
      parts.push(make('pre', `${sourceLine}\n${caret}`));
    }
    if (hint) parts.push(make('div', hint));
    return parts;
  }

  function make(tag, content) {
    const element = document.createElement(tag);
    element.append(...(Array.isArray(content) ? content : [content]));
    return element;
  }
})();

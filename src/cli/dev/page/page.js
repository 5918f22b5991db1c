// The page of `weir dev`: follows its events. Whatever comes from a compiler, a configuration or a request is put in as
// text, never as markup.
const KEPT_REQUESTS = 100;
const at = (id) => document.getElementById(id);
const requests = new Map();

const events = new EventSource('/events');
events.addEventListener('state', ({ data }) => showState(JSON.parse(data)));
events.addEventListener('request', ({ data }) => showRequest(JSON.parse(data)));
events.addEventListener('error', () => showStatus('stopped', 'weir dev has ended'));

function showState({ proxy, snapshot, addresses, filters, faults }) {
  showStatus(proxy, proxy === 'live' ? `live, snapshot ${snapshot}` : proxy);
  at('addresses').replaceChildren(...addresses.map((url) => link(url)));
  at('filters').replaceChildren(
    ...filters.map((filter) => make('li', '', [filter.name, ' ', filterState(filter)])),
  );
  const list = faults.flatMap((each) => each.list);
  at('faults').hidden = list.length === 0;
  at('faults').replaceChildren(make('h2', 'bad', 'Not in force'), ...list.map(fault));
  document.title = list.length === 0 ? 'weir dev' : `(${list.length}) weir dev`;
}

function filterState({ size, ms, serves }) {
  if (size > 0) return make('span', 'soft', `${size} bytes, compiled in ${ms} ms`);
  return make('span', 'bad', serves ? 'does not compile, the one before serves' : 'does not compile');
}

function showStatus(proxy, text) {
  const status = at('status');
  status.dataset.proxy = proxy;
  status.textContent = text;
}

function fault({ code, message, hint, file, line, column, length, sourceLine }) {
  const parts = [
    make('div', '', [
      make('span', 'mono', line > 0 ? `${file}:${line}:${column}` : file),
      ' ',
      make('span', 'bad', code),
      ' ',
      message,
    ]),
  ];
  if (sourceLine !== undefined) {
    const caret = sourceLine.slice(0, column - 1).replace(/[^\t]/g, ' ') + '^'.repeat(length);
    parts.push(make('pre', '', `${sourceLine}\n${caret}`));
  }
  if (hint) parts.push(make('div', 'soft', hint));
  return make('div', 'fault', parts);
}

/** A request that is known is shown anew, in its place. */
function showRequest(request) {
  at('none').hidden = true;
  const known = requests.get(request.id);
  const shown = make('li', 'request', [requestDetails(request)]);
  if (known) {
    shown.firstChild.open = known.firstChild.open;
    known.replaceWith(shown);
  } else at('requests').prepend(shown);
  requests.set(request.id, shown);
  if (requests.size > KEPT_REQUESTS) {
    const [oldest] = requests;
    oldest[1].remove();
    requests.delete(oldest[0]);
  }
}

function requestDetails({ line, filters }) {
  const details = make('details', '', [make('summary', 'mono', line)]);
  for (const { name, steps, fuel } of filters) {
    details.append(make('div', 'mono', `${name}  ${fuel} fuel`));
    for (const { text, notes } of steps)
      details.append(
        make('div', 'step mono', [
          text,
          ...notes.map((note) =>
            make('div', note.startsWith('+') ? 'good' : note.startsWith('-') ? 'bad' : 'soft', note),
          ),
        ]),
      );
  }
  return details;
}

function link(url) {
  const element = make('a', '', url);
  if (/^https?:/.test(url)) element.href = url;
  return element;
}

function make(tag, className, content) {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...(Array.isArray(content) ? content : [content]));
  return element;
}

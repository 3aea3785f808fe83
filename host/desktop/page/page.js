// The page of one VM's desktop: shows how far the VM is, attaches when the screen is there, says what is wrong and what to type. All that comes from the VM is
// set as text, never as markup.

const at = (id) => document.getElementById(id);
const vm_id = location.hostname.split('.')[0];
const again_ms = [250, 1000, 2000, 5000];   // between attempts to attach to a screen that is there

let view = null;          // the daemon's newest word
let rfb = null;           // the screen that is attached
let ending = null;        // {code, reason} of the last one
let silence = null;       // [sentence, command, detail] while the daemon says nothing: what it said last is not what is
let failures = 0;
let timer = 0;
let client = null;        // the noVNC module, once it was asked for

function fill_list(list, entries, text) {
  list.replaceChildren(...entries.map((entry) => {
    const item = document.createElement('li');
    item.textContent = text(entry);
    item.dataset.state = entry.state;
    return item;
  }));
}

function say(sentence, command, detail) {
  at('sentence').textContent = sentence;
  at('command').textContent = command;
  at('advice').hidden = !command;
  at('detail').textContent = detail;
}

function show_attached(attached) {
  at('screen').hidden = !attached;
  at('panel').hidden = attached;
  at('keys').disabled = at('clip').disabled = !attached;
}

function show() {
  if (!view && silence) say(...silence);
  if (!view) return;
  document.title = view.vm ? `${view.vm} · desktop` : 'Desktop';
  at('name').textContent = view.vm || vm_id;
  at('state').textContent = view.state;
  at('state').dataset.state = view.state;
  at('note').textContent = rfb && !silence && view.unready.length ? `not ready: ${view.unready.map((each) => `${each.name} (${each.state})`).join(', ')}` : '';
  fill_list(at('stages'), view.stages, (stage) => stage.name);
  fill_list(at('unready'), view.unready, (service) => `${service.name} is ${service.state}`);
  const last = ending && ending.reason ? `The screen was closed (${ending.code}): ${ending.reason}` : '';
  if (silence && !rfb) say(...silence);
  else if (view.phase === 'attach' && !rfb) say(`Attaching to the screen of ${view.vm}`, view.command, last);
  else say(view.sentence, view.command, last);
}

/// Words for an end that no later view explains. True: trying again is of no use.
function is_final(code) {
  return code === 4001 || code === 4003 || code === 4004;
}

async function attach() {
  timer = 0;
  if (rfb || !view || view.phase !== 'attach') return;
  try {
    client = client || await import('./novnc/core/rfb.js');
  } catch {
    say('This daemon was installed without noVNC, which draws the screen', './dev setup', 'It is fetched by npm when the daemon is built; the VM itself is there.');
    return;
  }
  if (rfb || view.phase !== 'attach') return;
  const socket = new WebSocket(`ws://${location.host}/rfb`);
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('close', (event) => { ending = {code: event.code, reason: event.reason}; });
  const mine = new client.default(at('screen'), socket, {shared: true});
  rfb = mine;
  mine.scaleViewport = true;
  mine.resizeSession = at('resize').checked;
  mine.addEventListener('connect', () => {
    failures = 0;
    ending = null;
    show_attached(true);
    show();
    mine.focus();
  });
  mine.addEventListener('clipboard', (event) => { at('text').value = event.detail.text; });
  mine.addEventListener('securityfailure', (event) => { ending = {code: 'RFB', reason: event.detail.reason || 'the screen wants a password'}; });
  mine.addEventListener('disconnect', () => {
    if (rfb === mine) detached();
  });
}

function detached() {
  rfb = null;
  show_attached(false);
  show();
  if (ending && is_final(ending.code)) {
    say(ending.reason, ending.code === 4004 ? 'vigil ps' : `vigil desktop ${vm_id}`, '');
    return;
  }
  attach_later();
}

function attach_later() {
  if (timer || rfb) return;
  timer = setTimeout(attach, again_ms[Math.min(failures++, again_ms.length - 1)]);
}

function follow() {
  const source = new EventSource('/view');
  source.addEventListener('view', (event) => {
    view = JSON.parse(event.data);
    silence = null;
    show();
    if (view.phase === 'removed') source.close();
    if (view.phase === 'attach' && !rfb && !timer) attach();
  });
  source.addEventListener('error', () => {
    if (view && view.phase === 'removed') return;
    silence = source.readyState === EventSource.CLOSED   // it was refused: an answer, but no stream
      ? ['This browser may not see this desktop, or not any more', `vigil desktop ${vm_id}`, 'The command prints an address that lets one browser in, once.']
      : ['The daemon does not answer; this page comes back when it does', 'vigil doctor', ''];
    show();
  });
}

at('keys').addEventListener('click', () => rfb && rfb.sendCtrlAltDel());
at('resize').addEventListener('change', () => { if (rfb) rfb.resizeSession = at('resize').checked; });
at('full').addEventListener('click', () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));
at('clip').addEventListener('click', () => {
  const open = at('clipboard').hidden;
  at('clipboard').hidden = !open;
  at('clip').setAttribute('aria-expanded', String(open));
  if (open) at('text').focus();
});
at('send').addEventListener('click', () => {
  if (!rfb) return;
  rfb.clipboardPasteFrom(at('text').value);
  rfb.focus();
});
at('copy').addEventListener('click', async () => {
  at('text').select();
  try {
    await navigator.clipboard.writeText(at('text').value);
  } catch {
    document.execCommand('copy');   // a browser that does not trust this origin
  }
});

follow();

/**
 * `view`: who is answered and who is not, with bare HTTP; and the live page in a browser, over a file that grows and a pipe.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { appendFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { fileOf } from '../audit-file.ts';
import { PROGRAM, recording, run, temporaryDirectory } from '../cli/run.ts';
import { expectQuiet, useChromium } from './chromium.ts';

const STEAL = recording('pdo-steal/steal');
const TEXT = readFileSync(STEAL, 'latin1');
const LINES = TEXT.split('\n');
const THEFT = LINES.findIndex((line) => line.includes('get_msi_cookie_ret:'));
const BEFORE = `${LINES.slice(0, THEFT).join('\n')}\n`;
const REST = LINES.slice(THEFT).join('\n');
const folder = temporaryDirectory();
const open = useChromium();

interface Served {
  readonly child: ChildProcessWithoutNullStreams;
  readonly url: URL;
  readonly token: string;
  readonly ended: Promise<number | null>;
  err(): string;
}

const running: ChildProcessWithoutNullStreams[] = [];
afterEach(() => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
});

/** Starts `view` and waits for its URL. */
async function view(...args: readonly string[]): Promise<Served> {
  const child = spawn(process.execPath, [PROGRAM, 'view', ...args], { stdio: 'pipe', env: { ...process.env, TMPDIR: folder } });
  running.push(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => void child.on('close', resolve));
  if (args.includes('-')) child.stdin.write(BEFORE);
  await expect.poll(() => out + (child.exitCode === null ? '' : err), { timeout: 20_000 }).toContain('\n');
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/\n$/);
  const url = new URL(out.trim());
  return { child, url, token: url.pathname.slice(1, -1), ended, err: () => err };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks as any program can, with any headers. */
function ask(url: URL, options: { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string | string[]> } = {}): Promise<Answer> {
  const { method = 'GET', path = url.pathname, headers = {} } = options;
  return new Promise((resolve, reject) => {
    request({ host: url.hostname, port: url.port, method, path, headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString('latin1'))).on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body })).on('error', reject);
    }).on('error', reject).end();
  });
}

/** Sends bytes as they are; returns all that comes back until the other side is done. */
function send(url: URL, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(url.port), url.hostname, () => void socket.write(bytes));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1'))).on('close', () => resolve(answer)).on('error', () => {});
    socket.setTimeout(3000, () => socket.destroy());
  });
}

const REFUSED_HEADERS = {
  'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cache-control': 'no-store', 'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-resource-policy': 'same-origin',
};

describe('who is answered', () => {
  test('the token alone gets the page, and every answer says how it may be used', async () => {
    const { url } = await view(STEAL, '--no-follow');
    const page = await ask(url);
    expect(page.status).toBe(200);
    expect(page.headers).toMatchObject({ ...REFUSED_HEADERS, 'content-type': 'text/html; charset=utf-8' });
    const policy = page.headers['content-security-policy'] as string;
    expect(policy).toMatch(/^default-src 'none'; script-src 'sha256-\S+'; style-src 'sha256-\S+'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
    expect(page.headers['access-control-allow-origin']).toBe(undefined);
    const events = await ask(url, { path: `${url.pathname}events` });
    expect(events.status).toBe(200);
    expect(events.headers).toMatchObject({ ...REFUSED_HEADERS, 'content-type': 'application/octet-stream' });
  });

  test('other users of the machine, who do not know it, get nothing', async () => {
    const { url, token } = await view(STEAL);
    const other = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const path of ['/', '/events', '/favicon.ico', `/${other}/`, `/${other}/events`, `/${token}`, `/${token.toLowerCase()}x/`, `/${token}/x`, `/${token}/events/`, `/${token}/../${token}/`, `/${token}/?x`, `//${token}/`, `/${token}%2f`, `http://127.0.0.1:${url.port}/${token}/`, '*']) {
      const { status, body, headers } = await ask(url, { path });
      expect({ path, status, body }).toEqual({ path, status: 404, body: '' });
      expect(headers).toMatchObject(REFUSED_HEADERS);
    }
  });

  test('another name of this address (DNS rebinding) gets nothing', async () => {
    const { url } = await view(STEAL);
    for (const host of ['evil.example', `evil.example:${url.port}`, 'localhost', `localhost:${url.port}`, '127.0.0.1', '127.0.0.1:1', `127.0.0.1:${url.port}.evil.example`, `127.0.0.1:0${url.port}`, `[::1]:${url.port}`, `127.1:${url.port}`]) {
      for (const path of [url.pathname, `${url.pathname}events`]) {
        const { status, body } = await ask(url, { path, headers: { host } });
        expect({ host, status, bytes: body.length }).toEqual({ host, status: 403, bytes: 0 });
      }
    }
    for (const hosts of ['', 'Host:\r\n', `Host: ${url.host}\r\nHost: evil.example\r\n`, `Host: evil.example\r\nHost: ${url.host}\r\n`, `Host: ${url.host}, evil.example\r\n`]) {
      expect(await send(url, `GET ${url.pathname} HTTP/1.1\r\n${hosts}Connection: close\r\n\r\n`)).not.toMatch(/^HTTP\/1\.1 200|doctype/);
    }
    expect(await send(url, `GET ${url.pathname} HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('a page of another origin gets nothing, even with the token', async () => {
    const { url } = await view(STEAL);
    const other: Record<string, string>[] = [
      { origin: 'http://evil.example' }, { origin: 'null' }, { origin: `http://127.0.0.1:${Number(url.port) ^ 1}` }, { origin: `https://${url.host}` }, { origin: `http://localhost:${url.port}` }, { origin: '' },
      { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { 'sec-fetch-site': 'x' },
    ];
    for (const headers of other) {
      const { status, body } = await ask(url, { path: `${url.pathname}events`, headers });
      expect({ headers, status, body }).toEqual({ headers, status: 403, body: '' });
    }
    for (const headers of [{ origin: url.origin }, { 'sec-fetch-site': 'same-origin' }, { 'sec-fetch-site': 'none' }]) expect((await ask(url, { headers })).status).toBe(200);
  });

  test('only GET; nothing that was sent comes back', async () => {
    const { url } = await view(STEAL);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD', 'TRACE', 'PROPFIND']) {
      const { status, body } = await ask(url, { method, headers: { 'x-secret': 'echo' } });
      expect({ method, status, body }).toEqual({ method, status: 403, body: '' });
    }
    for (const bytes of ['<script>echo</script>\r\n\r\n', `CONNECT ${url.host} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`, `GET /${'echo'.repeat(10_000)} HTTP/1.1\r\n\r\n`, 'GET /<echo> HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\necho`]) {
      const answer = await send(url, bytes);
      expect(answer).not.toMatch(/echo|doctype| 200 /);
    }
    // It lives on.
    expect((await ask(url)).status).toBe(200);
  });

  test('listens on 127.0.0.1 alone, on the port asked for', async () => {
    const first = await view(STEAL);
    const taken = run(['view', STEAL, '--port', first.url.port]);
    expect(taken).toEqual({ status: 2, stdout: '', stderr: `iommu-ledger: --port ${first.url.port}: cannot listen on 127.0.0.1: the port is in use; see --help\n` });
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(0);
    const again = await view(STEAL, '--port', first.url.port);
    expect(again.url.port).toBe(first.url.port);
    expect(again.token).not.toBe(first.token);
    const sockets = readFileSync('/proc/net/tcp', 'utf8') + readFileSync('/proc/net/tcp6', 'utf8');
    const port = Number(again.url.port).toString(16).toUpperCase().padStart(4, '0');
    expect(sockets.split('\n').filter((line) => line.includes(`:${port} `) && / 0A /.test(line)).map((line) => line.trim().split(/\s+/)[1])).toEqual([`0100007F:${port}`]);
  });
});

describe('how it ends', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('%s: status 0, at once, nothing left behind, with a browser looking or a source silent', async (signal) => {
    const served = await view(STEAL);
    const stream = ask(served.url, { path: `${served.url.pathname}events` }).catch(() => null);
    const { close } = await open(served.url.href);
    served.child.kill(signal);
    expect(await served.ended).toBe(0);
    expect(await stream).toBe(null);
    await close();
    // What Node keeps of every command.
    expect(readdirSync(folder).filter((name) => name !== 'node-compile-cache' && !name.endsWith('.txt'))).toEqual([]);

    const silent = spawn(process.execPath, [PROGRAM, 'view', '-'], { stdio: 'pipe' });
    running.push(silent);
    await new Promise((resolve) => setTimeout(resolve, 700));
    silent.kill(signal);
    expect(await new Promise((resolve) => void silent.on('close', resolve))).toBe(0);
  });

  test.each<readonly [string, readonly string[], number, RegExp]>([
    ['a port that is none', [STEAL, '--port', '65536'], 2, /^iommu-ledger: --port 65536: a whole number from 1 to 65535, 0 for a free one; see --help\n$/],
    ['no such file', ['/nowhere/x'], 3, /^iommu-ledger: \/nowhere\/x: no such file\n {2}hint: /],
    ['no recording', [PROGRAM], 3, /no known recording format/],
    ['an unknown machine', [STEAL, '--arch', 'vax'], 2, /--arch vax/],
  ])('%s is one message', (_, args, status, message) => {
    const result = run(['view', ...args]);
    expect(result).toMatchObject({ status, stdout: '' });
    expect(result.stderr).toMatch(message);
  });
});

const EVENTS = run(['events', STEAL, '--quiet']).stdout.trim().split('\n').length;
const SHOWN = '[document.documentElement.dataset.events, document.documentElement.dataset.position].map(Number)';
const STREAM = 'document.querySelector("[data-stream]")?.dataset.stream ?? null';

describe('the page in a browser', () => {
  test('asks its own server only, and has all of a recording that has ended', async () => {
    for (const args of [[STEAL, '--no-follow'], [STEAL.replace('pdo-steal/steal.trace.txt', 'deb72/errors.trace.dat')], [STEAL, recording('own72n/iommufd')]]) {
      const { url, child } = await view(...args);
      const opened = await open(url.href);
      await expect.poll(() => opened.evaluate(STREAM), { timeout: 10_000 }).toBe('ended');
      expectQuiet(opened, [url.href, `${url.href}events`]);
      expect(await opened.evaluate('document.querySelector(".live-status").innerText')).toBe('The source has ended: this is all of it.');
      await opened.close();
      child.kill('SIGKILL');
    }
  });

  test('grows with a file, stays at its end, and says when the server is gone', async () => {
    const file = fileOf(BEFORE);
    const { url, child, ended } = await view(file);
    const opened = await open(url.href);
    onTestFinished(() => opened.close());
    expect(await opened.evaluate(STREAM)).toBe('open');
    const seen = (): Promise<number[]> => opened.evaluate<number[]>(SHOWN);
    const [before, at] = await seen();
    expect(at).toBe(before);
    appendFileSync(file, REST.slice(0, 400));
    await new Promise((resolve) => setTimeout(resolve, 300));
    appendFileSync(file, REST.slice(400));
    await expect.poll(seen, { timeout: 10_000 }).toEqual([EVENTS, EVENTS]);
    expect(before).toBeLessThan(EVENTS);
    // The verdict and the list of findings grow with it.
    const judged = (): Promise<string[]> => opened.evaluate<string[]>('[document.querySelector(".counts").innerText.replace(/\\s+/g, " ").trim(), String(document.querySelectorAll("article[id^=finding-]").length), document.querySelector(".findings").innerText.includes("none")]');
    await expect.poll(judged, { timeout: 10_000 }).toEqual(['1 critical 0 error 0 warning 4 info', '5', false]);
    // Another page that comes later has the same.
    const later = await open(url.href);
    await expect.poll(() => later.evaluate(SHOWN), { timeout: 10_000 }).toEqual([EVENTS, EVENTS]);
    await later.close();
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    await expect.poll(() => opened.evaluate(STREAM), { timeout: 10_000 }).toBe('broken');
    expect(await opened.evaluate('document.querySelector(".live-status").innerText')).toContain('No longer live');
    expect(await seen()).toEqual([EVENTS, EVENTS]);
    expect(opened.requests).toEqual([url.href, `${url.href}events`]);
  });

  test('grows with a pipe and says when it has ended; ^C is still needed', async () => {
    const { url, child, ended } = await view('-');
    const opened = await open(url.href);
    onTestFinished(() => opened.close());
    expect(await opened.evaluate(STREAM)).toBe('open');
    child.stdin.end(REST);
    await expect.poll(() => opened.evaluate(STREAM), { timeout: 10_000 }).toBe('ended');
    expect(await opened.evaluate(SHOWN)).toEqual([EVENTS, EVENTS]);
    expect(opened.complaints).toEqual([]);
    expect(child.exitCode).toBe(null);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  });

  test('a hostile recording gets nothing to run here either', async () => {
    const text = '</script><img src=x onerror=window.ran=1>';
    const file = join(folder, 'hostile <img src=x onerror=window.ran=2>.txt');
    writeFileSync(file, ['iommu_domain_alloc', 'iommu_get_msi_cookie', 'iommu_get_msi_cookie'].map((type) => `${JSON.stringify({ v: 1, type, task: text, caller: text, domain: '0x1000', ...(type === 'iommu_domain_alloc' ? { domain_type: 1 } : { base: '0x1000' }), errno: 0 })}\n`).join(''));
    const { url } = await view(file);
    const opened = await open(url.href);
    await expect.poll(() => opened.evaluate('document.documentElement.dataset.events'), { timeout: 10_000 }).not.toBe(undefined);
    expectQuiet(opened, [url.href, `${url.href}events`]);
    expect(await opened.evaluate('[window.ran ?? null, document.images.length]')).toEqual([null, 0]);
    await opened.close();
  });
});

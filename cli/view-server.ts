/**
 * Serves one page and its events on 127.0.0.1. Who may read them: whoever knows the token in the path, which other users of
 * the machine and other pages do not; a page of another site that has this address under its own name (DNS rebinding) is
 * known by its Host, one that asks across sites by its Origin and Sec-Fetch-Site. A refusal says nothing.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UsageError } from './io.ts';
import type { LiveFeed } from './live-feed.ts';
import type { PageFrame } from './page.ts';

const ADDRESS = '127.0.0.1';
const TOKEN_BYTES = 16;
/** Connections at a time: a few pages, each of them with one that stays open. */
const CONNECTIONS = 64;
/** How long a request may take to arrive. Units: milliseconds. */
const REQUEST_MS = 10_000;

const HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};
const NOTHING = "default-src 'none'; frame-ancestors 'none'";

/** A page that is being served. */
export interface PageServer {
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Serves a page and what `feed` gives. Errors: UsageError where the port cannot be had. */
export async function servePage(port: number, page: PageFrame, feed: LiveFeed): Promise<PageServer> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  let host = '';
  const server = createServer({ requireHostHeader: false, headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 }, (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const status = refusal(request, host);
    if (status !== null) return refuse(response, status);
    const path = pathBehind(token, request.url ?? '');
    if (path === '') sendPage(response, page);
    else if (path === 'events') sendEvents(response, feed);
    else refuse(response, 404);
  });
  server.maxConnections = CONNECTIONS;
  // Whatever is no HTTP gets no answer.
  server.on('clientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new UsageError(`--port ${port}: cannot listen on ${ADDRESS}: ${listenReason(error)}`)));
    server.listen(port, ADDRESS, resolve);
  });
  host = `${ADDRESS}:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}/${token}/`,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

/** Returns the status of a request that is not answered whatever it asks for, or null. */
function refusal({ method, headers, rawHeaders }: IncomingMessage, host: string): number | null {
  const hosts = rawHeaders.filter((name, n) => n % 2 === 0 && name.toLowerCase() === 'host').length;
  if (method !== 'GET' || hosts !== 1 || headers.host !== host) return 403;
  if (headers.origin !== undefined && headers.origin !== `http://${host}`) return 403;
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none' ? null : 403;
}

/** Returns what stands in a path behind the token, or null where it is another one. */
function pathBehind(token: string, url: string): string | null {
  const wanted = Buffer.from(`/${token}/`);
  const given = Buffer.from(url.slice(0, wanted.length));
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? url.slice(wanted.length) : null;
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Security-Policy': NOTHING, 'Content-Length': 0, Connection: 'close' }).end();
}

function sendPage(response: ServerResponse, { head, tail, policy }: PageFrame): void {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': `${policy}; frame-ancestors 'none'` }).end(head + tail);
}

function sendEvents(response: ServerResponse, feed: LiveFeed): void {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Security-Policy': NOTHING });
  const { drained, gone } = feed.listen({ write: (bytes) => response.write(bytes), end: (bytes) => response.end(bytes) });
  response.on('drain', drained).on('close', gone);
}

function listenReason({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE': return 'the port is in use';
    case 'EACCES': return 'permission denied';
    default: return code ?? message;
  }
}

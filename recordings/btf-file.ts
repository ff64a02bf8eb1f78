/**
 * Reads a kernel's type information from a file: BTF as in /sys/kernel/btf, gzip of it, or the .BTF section of an ELF file
 * (a vmlinux may be huge: only its section is read). What the bytes mean is said in btf.ts.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UnreadableError } from '../events/problem.ts';
import { decodeBtf, type Btf } from './btf.ts';

/** Type information of the kernel that runs. */
export const RUNNING_KERNEL = '/sys/kernel/btf/vmlinux';

/** A kernel's own is 7 MB. Units: bytes. */
const MAX_BYTES = 1 << 28;
const HINT = 'name a copy of /sys/kernel/btf/vmlinux, or a vmlinux with a .BTF section';

/**
 * Returns the types in a file. `base`: those of vmlinux, for the file of a module.
 * Errors: UnreadableError where the file cannot be read, or is no type information.
 */
export function readBtf(path: string, base?: Btf): Btf {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new UnreadableError(`${path}: is no file`, HINT);
    const read = (at: number, length: number): Buffer => readAt(fd, at, length);
    const head = read(0, 64);
    if (head.length >= 64 && head.readUInt32BE(0) === 0x7f454c46) return decodeBtf(elfSection(path, head, read), path, base);
    if (stat.size > MAX_BYTES) throw new UnreadableError(`${path}: ${stat.size} bytes are no type information`, HINT);
    const bytes = read(0, stat.size);
    return decodeBtf(bytes.length > 2 && bytes.readUInt16BE(0) === 0x1f8b ? unpack(path, bytes) : bytes, path, base);
  } catch (error) {
    throw error instanceof UnreadableError ? error : unreadable(path, error);
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  for (let n = 1; done < length && n > 0; done += n) n = readSync(fd, bytes, done, length - done, at + done);
  return bytes.subarray(0, done);
}

function unpack(path: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch {
    throw new UnreadableError(`${path}: damaged gzip data, or more than ${MAX_BYTES} bytes in it`, HINT);
  }
}

/** The .BTF section of a 64-bit ELF file. */
function elfSection(path: string, head: Buffer, read: (at: number, length: number) => Buffer): Buffer {
  const none = new UnreadableError(`${path}: an ELF file without a .BTF section that can be read`, HINT);
  const little = head[5] === 1;
  const u16 = (bytes: Buffer, at: number): number => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (bytes: Buffer, at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const u64 = (bytes: Buffer, at: number): number => Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  const part = (at: number, length: number): Buffer => {
    if (!Number.isSafeInteger(at) || length > MAX_BYTES) throw none;
    const bytes = read(at, length);
    if (bytes.length < length) throw none;
    return bytes;
  };
  const width = u16(head, 0x3a);
  const count = u16(head, 0x3c);
  const nameSection = u16(head, 0x3e);
  if (head[4] !== 2 || width < 0x40 || nameSection >= count) throw none;
  const sections = part(u64(head, 0x28), width * count);
  const extent = (n: number): [at: number, length: number] => [u64(sections, n * width + 0x18), u64(sections, n * width + 0x20)];
  const names = part(...extent(nameSection));
  for (let n = 0; n < count; n++) {
    const name = u32(sections, n * width);
    if (names.toString('latin1', name, name + 5) === '.BTF\0') return part(...extent(n));
  }
  throw none;
}

function unreadable(path: string, error: unknown): UnreadableError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new UnreadableError(`${path}: no such file`, path === RUNNING_KERNEL ? 'this kernel has no type information (CONFIG_DEBUG_INFO_BTF): name a file of one that has' : HINT);
  if (code === 'EACCES' || code === 'EPERM') return new UnreadableError(`${path}: permission denied`, 'make it readable, or copy it as root');
  return new UnreadableError(`${path}: ${code ?? message}`, HINT);
}

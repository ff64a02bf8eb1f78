import { createMemoryLogContent, openMemoryLog } from '../../log/memory-store.ts';
import { eventLogContract } from './event-log.contract.ts';

eventLogContract('memory store', () => {
  const content = createMemoryLogContent();
  return { open: () => openMemoryLog(content), dispose: () => {} };
});

/** A little of what slow-reader.deep.ts does at length. */
import { expect, it } from 'vitest'
import { stream } from './slow-reader.ts'

it('a slow reader stops the sender, not the memory: 64 MiB arrive as they were sent', async () => {
  const size = (64 << 20) + 12_345
  const { samples, hashes } = await stream(size, 8 << 20)
  expect(hashes[1]).toBe(hashes[0])
  expect(samples).toHaveLength(7)
  for (const { queued } of samples) expect(queued).toBeLessThanOrEqual(128 * 1024)
  // More is in kernels than fits into ours: it was the reader that held all of it back.
  expect(Math.max(...samples.map(({ between }) => between))).toBeGreaterThan(128 * 1024)
})

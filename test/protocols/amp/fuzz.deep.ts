/** A million inputs, most of them wrong: nothing is thrown, nothing grows, each call ends once, the error is typed. */
import { setReporter } from 'couplet'
import { expect, it, onTestFinished } from 'vitest'
import { isExpected, runFuzz } from './fuzz.ts'

it('A million inputs are answered, or refused with a typed error', { timeout: 600_000 }, () => {
  const unexpected: unknown[] = []
  onTestFinished(
    setReporter(({ error }) => {
      if (!isExpected(error)) unexpected.push(error)
    }),
  )
  // The first ones make room for code and for what is kept anyway.
  runFuzz(20_000, 1)
  const before = heap()
  expect(runFuzz(1_000_000, 2).refused).toBeGreaterThan(100_000)
  expect(unexpected).toEqual([])
  expect(heap() - before).toBeLessThan(16 * 1024 * 1024)
})

/** Bytes of the heap in use, after garbage was collected as often as memory is wanted for it. */
function heap(): number {
  const { gc } = globalThis as { gc?: () => void }
  gc?.()
  return process.memoryUsage().heapUsed
}

/** The work that `npm run bench -- deferred` measures: bundled and imported by it, nothing to run alone. */
import { Deferred } from 'couplet'

const increase = (n: number): number => n + 1

/** Deferreds with three callbacks, fired. */
export function fired(count: number): void {
  for (let i = 0; i < count; i++) {
    const d = new Deferred<number>()
    d.addCallback(increase).addCallback(increase).addCallback(increase)
    d.callback(i)
  }
}

/** Deferreds whose callback returns another one, which fires later. */
export function nested(count: number): void {
  for (let i = 0; i < count; i++) {
    const inner = new Deferred<number>()
    const outer = new Deferred<number>()
    outer.addCallback(() => inner).addCallback(increase)
    outer.callback(i)
    inner.callback(i)
  }
}

/** Promises with three thens, resolved; it is over when the last one's third then is. */
export async function resolved(count: number): Promise<void> {
  let last: Promise<number> | undefined
  for (let i = 0; i < count; i++) {
    let settle!: (n: number) => void
    const promise = new Promise<number>((resolve) => {
      settle = resolve
    })
    last = promise.then(increase).then(increase).then(increase)
    settle(i)
  }
  await last
}

/** A Deferred that waits, with so many callbacks, and what fires it. */
export function pendingDeferred(callbacks: number): unknown[] {
  const d = new Deferred<number>()
  for (let i = 0; i < callbacks; i++) d.addCallback(increase)
  return [d, undefined]
}

/** A Promise that waits, with so many thens, and what resolves it. */
export function pendingPromise(thens: number): unknown[] {
  let settle: unknown
  let promise = new Promise<number>((resolve) => {
    settle = resolve
  })
  for (let i = 0; i < thens; i++) promise = promise.then(increase)
  return [promise, settle]
}

import { Deferred } from 'couplet'

const controller = new AbortController()
const work = Deferred.fromPromise(async (signal) => {
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  console.log(`aborted: ${signal.reason}`)
})
work.addSignal(controller.signal).addErrback((failure) => console.log((failure.value as Error).name))

controller.abort('enough') // → CancelledError
await Promise.resolve() // → aborted: enough

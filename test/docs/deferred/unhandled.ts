import { Deferred, flushUnhandled } from 'couplet'

const d = new Deferred<string>()
d.addCallback((text) => text.length)
d.errback(new Error('the server is gone'))

for (const { what, error } of flushUnhandled()) console.log(`${what}: ${(error as Error).message}`)
// → Unhandled failure in a Deferred: the server is gone

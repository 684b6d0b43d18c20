import { Deferred, TimeoutError } from 'couplet'
import { ManualClock } from 'couplet/testing'

const clock = new ManualClock()
const poem = new Deferred<string>().addTimeout(10_000, clock)
poem.addErrback((failure) => {
  failure.trap(TimeoutError)
  console.log(failure.getErrorMessage())
})
clock.advance(9_999)
console.log(poem) // → Deferred { pending, 2 callbacks }
clock.advance(1) // → No result within 10000 ms

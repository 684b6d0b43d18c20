/** What has become of a Deferred, for tests that want to see it whatever it is. */
import { type Deferred, Failure } from 'couplet'

/** Its value, its error, or `'pending'`; takes the outcome out of it. */
export function resultOf(deferred: Deferred<unknown>): unknown {
  let result: unknown = 'pending'
  deferred.addBoth((r) => {
    result = r instanceof Failure ? r.value : r
  })
  return result
}

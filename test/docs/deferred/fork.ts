import { Deferred } from 'couplet'

const d = new Deferred<string>()
d.addCallbacks(
  (text) => JSON.parse(text) as unknown,
  () => console.log('never for an error of the callback beside it'),
)
d.addErrback((failure) => {
  failure.trap(SyntaxError)
  console.log('no JSON') // → no JSON
  return 'default'
})
d.callback('{')
console.log(await d) // → default

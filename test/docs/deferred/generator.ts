import { Deferred, gatherResults, inlineCallbacks } from 'couplet'

const requests: Deferred<string>[] = []
function ask(): Deferred<string> {
  const answer = new Deferred<string>()
  requests.push(answer)
  return answer
}

const both = inlineCallbacks(function* () {
  const [first, second] = yield* gatherResults([ask(), ask()])
  return `${first} and ${second}`
})

both().addCallback((text) => console.log(text))
requests[1]?.callback('ice')
requests[0]?.callback('fire') // → fire and ice
console.log('no microtask was needed') // → no microtask was needed

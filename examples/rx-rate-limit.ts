/**
 * A client that does not ask faster than it should: run the server with `npm run example -- shout`, and this with
 * `npm run example -- rx-rate-limit tcp:127.0.0.1:8000 how are you`.
 *
 * Look at how a Deferred waits for the end of an Observable. Try: a server that is not there, or Ctrl-C in between.
 */
import { clientFromString } from 'couplet'
import { react } from 'couplet/node'
import { toDeferred } from 'couplet/rx'
import { tap } from 'rxjs'
import { spacedQuestions } from './rx-spaced-questions.ts'

react((reactor, endpoint = 'tcp:127.0.0.1:8000', ...questions) => {
  const answers = spacedQuestions(clientFromString(reactor, endpoint), questions, 1000, reactor)
  return toDeferred(answers.pipe(tap((answer) => console.log(JSON.stringify(answer)))), {
    take: 'last',
    defaultValue: 'nothing was asked',
  })
})

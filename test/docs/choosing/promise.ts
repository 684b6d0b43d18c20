import { connected } from 'couplet/testing'
import { Thermometer } from './thermometer.ts'

async function warmest(inside: Thermometer, outside: Thermometer) {
  const [first, second] = await Promise.all([inside.ask(), outside.ask()])
  return first > second ? 'it is warmer inside' : 'it is warmer outside'
}

const [inside, outside] = [new Thermometer(), new Thermometer()]
const [here, there] = [connected(inside), connected(outside)]
const answer = warmest(inside, outside)
here.receive('21\r\n')
there.receive('30\r\n')
console.log('receive() returns') // → receive() returns
console.log(await answer) // → it is warmer outside

import { toText } from 'couplet'
import { Conversation, lines } from 'couplet/rx'
import { connected } from 'couplet/testing'
import { filter, map, pairwise } from 'rxjs'

const thermometer = new Conversation(lines())
const transport = connected(thermometer.protocol)
thermometer
  .pipe(
    map((line) => Number(toText(line))),
    pairwise(),
    filter(([before, now]) => now - before > 5),
  )
  .subscribe(([before, now]) => console.log(`from ${before} to ${now} °C!`))
transport.receive('20\r\n21\r\n30\r\n29\r\n') // → from 21 to 30 °C!

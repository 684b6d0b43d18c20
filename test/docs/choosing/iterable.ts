import { LineReceiver, messages, toText } from 'couplet'
import { connected } from 'couplet/testing'

class Readings extends LineReceiver {
  override lineReceived() {}
}

const receiver = new Readings()
const readings = messages(receiver)
const transport = connected(receiver)
transport.receive('3\r\n1\r\n-2\r\n-4\r\n')
for await (const line of readings) {
  if (Number(toText(line)) > 0) continue
  console.log(`it freezes: ${toText(line)} °C`) // → it freezes: -2 °C
  break
}
console.log('closing:', transport.disconnecting) // → closing: true

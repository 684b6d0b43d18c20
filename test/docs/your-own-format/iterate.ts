import { messages, toText } from 'couplet'
import { connected } from 'couplet/testing'
import { PacketReceiver } from './packet-receiver.ts'

class Packets extends PacketReceiver {
  override packetReceived(): void {}
}

const receiver = new Packets()
const packets = messages(receiver)
const transport = connected(receiver)
transport.receive(new Uint8Array([0x30, 2, 0x68, 0x69, 0x30, 1, 0x21]))
transport.end()
for await (const { kind, body } of packets) console.log(kind, toText(body))
// → 3 hi
// → 3 !

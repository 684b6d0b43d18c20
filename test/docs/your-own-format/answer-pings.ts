import { connected } from 'couplet/testing'
import type { Packet } from './packet-decoder.ts'
import { PacketReceiver } from './packet-receiver.ts'

const [CONNECT, CONNACK, PINGREQ, PINGRESP] = [1, 2, 12, 13]

class Broker extends PacketReceiver {
  override packetReceived({ kind }: Packet): void {
    if (kind === CONNECT) this.sendPacket({ kind: CONNACK, flags: 0, body: new Uint8Array([0, 0]) })
    else if (kind === PINGREQ) this.sendPacket({ kind: PINGRESP, flags: 0, body: new Uint8Array(0) })
    else this.transport.loseConnection()
  }
}

// CONNECT as `mosquitto_sub -i me` sends it, and two pings, all in one chunk.
const transport = connected(new Broker())
transport.receive(new Uint8Array([0x10, 14, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 2, 109, 101, 0xc0, 0, 0xc0, 0]))
console.log([...transport.value()].map((byte) => byte.toString(16)).join(' ')) // → 20 2 0 0 d0 0 d0 0

// A packet of 256 MiB: refused when its length is there, before any of it has come.
transport.receive(new Uint8Array([0x30, 0xff, 0xff, 0xff, 0x7f]))
console.log(transport.cause?.message)
// → a packet of 2097151 bytes or more was offered, the limit is 65536 (raise maxLength to accept it)

import assert from 'node:assert/strict'
import { IncompleteFrame, toBytes } from 'couplet'
import { connected, everyChunking } from 'couplet/testing'
import type { Packet } from './packet-decoder.ts'
import { PacketReceiver } from './packet-receiver.ts'

class Packets extends PacketReceiver {
  readonly packets: Packet[] = []
  override packetReceived(packet: Packet): void {
    this.packets.push(packet)
  }
}

const sent: Packet[] = ['', 'a', 'x'.repeat(130)].map((text, kind) => ({ kind, flags: 2, body: toBytes(text) }))
const bytes = new Uint8Array([...sent.flatMap((packet) => [...write(packet)]), 0x30])

let chunkings = 0
everyChunking(bytes, (chunks) => {
  const receiver = new Packets()
  let reason: Error | undefined
  receiver.connectionLost = (lost) => void (reason = lost)
  const transport = connected(receiver)
  for (const chunk of chunks) transport.receive(chunk)
  transport.end()
  assert.deepEqual(receiver.packets, sent)
  assert.deepEqual(reason?.cause, new IncompleteFrame(1))
  chunkings++
})
console.log(`the same packets, and the same end, in ${chunkings} chunkings`)
// → the same packets, and the same end, in 9593 chunkings

function write(packet: Packet): Uint8Array {
  const protocol = new Packets()
  const transport = connected(protocol)
  protocol.sendPacket(packet)
  return transport.value()
}

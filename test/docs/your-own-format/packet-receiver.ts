import { FrameReceiver, type Hook } from 'couplet'
import { type Packet, PacketDecoder } from './packet-decoder.ts'

export abstract class PacketReceiver extends FrameReceiver<Packet> {
  protected override readonly decoder = new PacketDecoder(65_536)

  abstract packetReceived(packet: Packet): Hook

  sendPacket({ kind, flags, body }: Packet): void {
    const header = [(kind << 4) | flags]
    let rest = body.length
    for (; rest > 0x7f; rest >>= 7) header.push((rest & 0x7f) | 0x80)
    this.transport.writeSequence([new Uint8Array([...header, rest]), body])
  }

  protected override frameReceived(packet: Packet): Hook {
    return this.packetReceived(packet)
  }
}

/** Two peers that talk to each other in memory: what one writes the other gets, when the test says so. */
import type { amp } from 'couplet'
import { connected, type StringTransport } from 'couplet/testing'

export class TwoPeers {
  readonly client: StringTransport
  readonly server: StringTransport

  constructor(client: amp.AMP, server: amp.AMP) {
    this.server = connected(server)
    this.client = connected(client)
    this.talk()
  }

  /** Passes on what was written, until both are silent. */
  talk(): void {
    for (let busy = true; busy;) {
      const there = pass(this.client, this.server)
      busy = pass(this.server, this.client) || there
    }
  }
}

function pass(from: StringTransport, to: StringTransport): boolean {
  const bytes = from.value()
  from.clear()
  if (bytes.length > 0) to.receive(bytes)
  return bytes.length > 0
}

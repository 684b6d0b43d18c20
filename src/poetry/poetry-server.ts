/**
 * Everything that a poetry program serves, as one service: it listens in all places from start to stop.
 *
 * Ancestor: krondo's `PoetryService` and its MultiService, `twisted-server-3/fastpoetry.py`, part 16.
 */
import { EndpointService, type Factory, MultiService, type ServerEndpoint } from 'couplet'

/** Something to serve, and where. */
export interface Offer {
  /** For people. */
  readonly name: string
  readonly place: ServerEndpoint
  readonly factory: Factory
}

/** A service for each offer. A start that cannot listen everywhere fails, and listens nowhere. */
export class PoetryServer extends MultiService {
  /** One for each offer, in their order; each knows its open port while it runs. */
  readonly ports: readonly EndpointService[]

  /**
   * @param drain milliseconds that clients get to take the rest of what they came for when it stops; after that they are
   *   cut off, with a reset, so that nobody takes half a poem for a whole one
   */
  constructor(offers: readonly Offer[], { drain }: { readonly drain: number }) {
    super()
    this.ports = offers.map(({ place, factory }) => new EndpointService(place, factory, { drain }))
    for (const port of this.ports) this.addService(port)
  }

  /** All doors close at the same moment: while one waits for its clients, no other takes new ones. */
  protected override stopping() {
    for (const service of this) {
      // What goes wrong is told by the stop below, which waits for the same end.
      service.stopService().addErrback(() => undefined)
    }
    return super.stopping()
  }
}

/** All defects that are tried. */
import { above } from './above.ts'
import { inCore } from './in-core.ts'
import { inFraming } from './in-framing.ts'
import { inServices } from './in-services.ts'
import { inTransports } from './in-transports.ts'
import type { Mutant } from './mutant.ts'

export const mutants: readonly Mutant[] = [...inCore, ...inTransports, ...inFraming, ...inServices, ...above]

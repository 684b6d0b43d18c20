/**
 * "Eternity", whole, by William Blake, who died in 1827. From his notebook of about 1793; in the public domain.
 *
 * No ancestor.
 */
import type { Poem } from '../poem.ts'

/** Four lines in English. */
export const eternity: Poem = {
  title: 'Eternity',
  author: 'William Blake',
  text: `\
He who binds to himself a joy
Does the winged life destroy;
But he who kisses the joy as it flies
Lives in eternity's sun rise.
`,
}

import { describe, expect, it } from 'vitest'
import { dockerfileHints } from './dockerfile-hints.ts'

describe('the ports that a Dockerfile exposes', () => {
  it.each([
    { says: ['FROM scratch', 'EXPOSE 3000'], ports: [3000] },
    { says: ['FROM scratch', 'EXPOSE 53/udp 8053/tcp'], ports: [8053] },
    { says: ['FROM scratch', 'EXPOSE 7000-7010'], ports: [7000] },
    { says: ['FROM scratch', 'ENV PORT=5000', 'EXPOSE $PORT'], ports: [5000] },
    { says: ['FROM scratch', 'ENV PORT 5001', 'EXPOSE ${PORT}'], ports: [5001] },
    { says: ['FROM scratch', 'EXPOSE ${PORT:-5002}/tcp'], ports: [5002] },
    { says: ['ARG PORT=6000', 'FROM scratch', 'ARG PORT', 'EXPOSE $PORT'], ports: [6000] },
    { says: ['FROM scratch AS base', 'EXPOSE 1111', 'FROM scratch', 'EXPOSE 2222'], ports: [2222] },
    { says: ['FROM scratch AS base', 'EXPOSE 1111', 'FROM base', 'CMD ["a"]'], ports: [1111] },
    { says: ['FROM scratch', 'CMD ["a"]'], ports: [] },
    { says: ['FROM scratch', 'EXPOSE $UNKNOWN 99999'], ports: [] },
  ])('$says gives $ports', ({ says, ports }) => {
    expect(dockerfileHints(says.join('\n'), null).ports).toEqual(ports)
  })
})

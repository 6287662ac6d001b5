import { expect, it } from 'vitest'
import { buildahStep } from './buildah/buildah-step.ts'
import { parseDockerfile } from './parse/parse-dockerfile.ts'
import { stepFailure, stepOfNumber, stepOfVertex, syntaxFailure } from './step-failure.ts'

const dockerfile = parseDockerfile(
  'Dockerfile',
  `ARG A=1
FROM node AS build
ENV X=1
WORKDIR /w
RUN one
FROM scratch
COPY a b
LABEL c=d
RUN two
`,
  {},
)

it.each([
  ['[build 1/3] FROM docker.io/library/node', undefined],
  ['[build 2/3] WORKDIR /w', 4],
  ['[build 3/3] RUN one', 5],
  ['[linux/amd64 build 3/3] RUN one', 5],
  ['[stage-1 1/2] COPY a b', 7],
  ['[stage-1 2/2] RUN two', 9],
  ['[internal] load build context', undefined],
  ['exporting to image', undefined],
])("BuildKit's %s", (name, line) => {
  expect(stepOfVertex(name, dockerfile)?.line).toBe(line)
})

it("the classic builder's steps count everything", () => {
  expect([1, 2, 5, 9, 10].map((step) => stepOfNumber(step, dockerfile, true)?.line)).toEqual([
    1,
    2,
    5,
    9,
    undefined,
  ])
})

it.each([
  ['[1/2] STEP 4/4: RUN one', 5],
  ['[2/2] STEP 2/4: COPY a b', 7],
  ['STEP 4/4: RUN two', 9],
  ['COMMIT', undefined],
])("buildah's %s", (line, expected) => {
  expect(buildahStep(line, dockerfile)?.line).toBe(expected)
})

it.each([
  ['dockerfile parse error line 3: unknown instruction: X', 'D:3: unknown instruction: X'],
  ['failed to solve: dockerfile parse error on line 12: bad\nmore', 'D:12: bad'],
  ['anything else', undefined],
])('%j', (said, message) => {
  expect(syntaxFailure('D', said)?.message).toBe(message)
})

it('shows a step on one line, and the newest of its lines', () => {
  const step = { keyword: 'RUN', text: `a   ${'b'.repeat(200)}`, offsets: [], line: 4 }
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`)
  const [head = '', ...rest] = stepFailure('D', step, 'exit code: 1', lines).message.split('\n')
  expect(head).toMatch(/^D:4: RUN a b+… failed: exit code: 1$/)
  expect(rest).toHaveLength(20)
  expect(rest.at(-1)).toBe('    line 29')
})

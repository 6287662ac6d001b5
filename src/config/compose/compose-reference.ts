import type { KeyRule, KeyRules } from './rules/key-rule.ts'
import { topLevelRules } from './rules/top-level-rules.ts'

/** docs/compose.md: what becomes of every key, made from the rules of the import so that it cannot drift. */
export function composeReference(): string {
  return `${[introduction, meanings, decisions, '## Every key', ...sections('', topLevelRules)].join('\n\n')}\n`
}

/** A table of each block of keys, the outermost first. */
function sections(path: string, rules: KeyRules): readonly string[] {
  const title = path === '' ? 'The top level' : `\`${path}\``
  const rows = Object.entries(rules).map(
    ([key, { fate, text }]) => `| \`${key}\` | ${fate} | ${cell(text)} |`,
  )
  const table = [
    `### ${title}`,
    '',
    '| key | fate | what it becomes, or why it does not |',
    '|---|---|---|',
    ...rows,
  ]
  const inner = Object.entries(rules).flatMap(([key, rule]) =>
    rule.keys === undefined || isUniform(rule)
      ? []
      : sections(`${path === '' ? '' : `${path}.`}${key}${suffix(rule)}`, rule.keys),
  )
  return [table.join('\n'), ...inner]
}

/** All of its keys share its fate: the one row says it. */
const isUniform = (rule: KeyRule): boolean =>
  (rule.fate === 'dropped' || rule.fate === 'refused') &&
  Object.values(rule.keys ?? {}).every((inner) => inner.fate === rule.fate)

const suffix = (rule: KeyRule): string =>
  rule.named === true ? '.<name>' : rule.shapes.includes('list') && !rule.shapes.includes('map') ? '[]' : ''

const cell = (text: string): string => text.replaceAll('|', '\\|')

const introduction = `# Importing a Compose project

\`basalt init --from compose.yaml\` reads a project by the [Compose Specification](https://compose-spec.io) and writes
\`basalt.yaml\` beside it. A table says of each part what became of it, with its file, line and column; \`-o json\`
prints the same as \`basalt.compose-import/v1\`. \`--dry-run\` only shows both. An existing \`basalt.yaml\` is never
overwritten, and a mistake in the Compose files, a key that the Specification does not know included, writes nothing.

| fate | meaning |
|---|---|
| carried | it means the same in \`basalt.yaml\` |
| changed | it became something else, or a decision was made: a comment in \`basalt.yaml\` says so |
| dropped | it has no meaning here, and nothing is lost |
| refused | it is not carried over although something is lost: look at it before you deploy |`

const meanings = `## What is read

- **One file**, the one that is named, with all that it includes (\`include\`) and extends (\`extends\`, from the same or
  another file), merged by the rules of the Specification. An override file beside it is not read. The tags \`!reset\`
  and \`!override\` are not understood.
- **YAML 1.2** with anchors, aliases and \`<<\`. \`x-…\` keys are free. A file has at most 1 MiB, a project at most 100
  files and 1000 services; aliases, variables and \`extends\` that multiply without end are refused.
- **Variables**: \`$NAME\`, \`\${NAME}\`, \`\${NAME:-default}\`, \`\${NAME-default}\`, \`\${NAME:?message}\`,
  \`\${NAME?message}\`, \`\${NAME:+other}\`, \`\${NAME+other}\`, nested, and \`$$\` for a dollar sign; from the shell first,
  then from \`.env\` beside the Compose file. \`basalt.yaml\` has no variables: what they are now is written down.
- **Environment files** with their quotes, escapes, comments and variables; \`format: raw\`; \`required: false\`. They
  are read once.
- **Profiles**: a service with \`profiles\` is left out, unless \`COMPOSE_PROFILES\` names one of them.
- **Dockerfiles** are looked at for \`EXPOSE\` and \`ENTRYPOINT\` only.`

const decisions = `## What is decided

- **Secrets are never written down.** A variable whose name or value looks like one (\`PASSWORD\`, \`TOKEN\`, \`_KEY\`, an
  address with a password, a private key …) is left out with a row that says so, and so is every other text that holds
  one. Compose \`secrets\` are refused until there are secrets.
- **HTTP or TCP.** Compose does not say which. \`app_protocol\`, the image and the usual numbers decide; a row says what
  was decided. One published HTTP port becomes the environment’s \`ingress\`: 80, 8080, 8000 or 3000 if it is among
  them, else the first; others have entry ports of their own.
- **Loopback stays closed.** Entry ports answer at every address, so what is published on 127.0.0.1 is not exposed.
- **Who reaches whom.** In Compose everyone reaches everyone; here only what \`needs\` names. A service whose name stands
  as a host in a variable or argument of another is added to its \`needs\`. Its port is found there, in its Dockerfile
  or in what is known of its image, when the Compose file names none.
- **Data.** A named volume makes its service \`stateful\`: one instance, stopped before its successor starts. A volume
  has one writer, the first service that mounts it to write; others, readers included, are refused. Bind mounts of data
  folders become volumes. Every volume begins empty: copy the data yourself.
- **Bind mounts** of sources are for development and refused, as are files (\`COPY\` them in the Dockerfile) and folders
  of the machine. An anonymous volume within a refused mount only shielded a folder from it and is dropped.
- **A read-only root.** Unless the service says \`read_only: true\`, \`/tmp\` becomes writable, and what is known of its
  image. Docker’s usual capabilities are not granted, but those that a known image needs to give up root.
- **Commands.** \`command\` in \`basalt.yaml\` replaces entrypoint and arguments. The entrypoint is put in front when the
  Compose file, the Dockerfile or what is known of the image says it; else a row asks you to.
- **Health.** \`curl\` and \`wget\` on the instance itself become a request from outside, which must answer 200. Without a
  check, a connection to the first port counts.
- **Jobs**, on which others wait with \`service_completed_successfully\`, are left out: an instance that ends is replaced.`

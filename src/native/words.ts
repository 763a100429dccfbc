export { Kind, Phase, RecordKind, Way, Word } from './boundary.generated.js'

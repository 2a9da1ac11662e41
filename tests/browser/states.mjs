// Which states of which models the console shows, and whether it shows all of them.
//
// The words come from the served description of the API, so that a state which is added to a model has to be
// shown in the demonstration, too.

/** Models whose every word must be seen, by their name in the description, with the least number of words. */
const MODELS = {
  RunState: 13,
  RunStatus: 4,
  RunOutcome: 6,
  Outcome: 4,
  Standing: 6,
  Stance: 5,
  NeedSubject: 5,
  BackupStatus: 4,
  Scope: 3,
  ResultState: 7,
  AttentionState: 5,
  Cause: 16,
  Tone: 4,
  EventSubject: 6,
  Posture: 3,
  RestoreKind: 3,
  PostureReason: 6,
  BackupHealth: 4,
  Finding: 14,
  Freshness: 5,
  Change: 11,
  Leg: 8,
  LegWord: 4,
  GroupCache: 3,
  Availability: 3,
  RestoreStatus: 14,
  GateReason: 37,
};

/** The states that each gate can have. */
const GATES = {
  source: ['complete', 'warning', 'required', 'blocked'],
  target: ['complete', 'blocked'],
  scope: ['complete', 'warning', 'required'],
  validation: ['complete', 'warning', 'required', 'blocked', 'unavailable'],
  preview: ['complete', 'required', 'unavailable'],
  confirmation: ['complete', 'required', 'blocked', 'unavailable'],
  execution: ['warning', 'required', 'blocked', 'unavailable'],
};

export class States {
  #seen = new Set();

  /** Notes a word of a model. */
  see(model, word) {
    if (word != null) this.#seen.add(`${model} ${word}`);
  }

  seeRun(run) {
    this.see('RunState', run.state.state);
    this.see('RunStatus', run.status);
    this.see('RunOutcome', run.outcome);
    this.see('Standing', run.verdict?.standing);
    this.see('Stance', run.opinion?.opinion);
    this.see('Tone', run.state.tone);
    for (const { subject } of run.timeline) this.see('EventSubject', subject);
    this.see('Freshness', run.freshness.state);
    this.see('ResultState', run.card.state);
    this.see('AttentionState', run.attention?.state);
    this.see('Cause', run.attention?.primary_cause_family);
    this.see('RestoreStatus', run.restore?.status);
    this.see('Availability', run.operation_proof.state);
    this.see('Availability', run.evidence.state.state);
    for (const leg of run.legs) {
      this.see('Leg', leg.leg);
      this.see('LegWord', leg.state);
    }
  }

  seeNeed({ subject }) {
    this.see('NeedSubject', subject);
  }

  seeEnvironment({ posture, backup }) {
    this.see('Posture', posture.state);
    this.see('PostureReason', posture.reason);
    this.#seeBackup(backup);
  }

  seeRestore(restore) {
    this.see('ResultState', restore.card.state);
    this.see('AttentionState', restore.attention.state);
    this.see('Cause', restore.attention.primary_cause_family);
    this.see('RestoreStatus', restore.status);
    this.see('Scope', restore.proof.scope);
    this.see('GroupCache', restore.groups.state);
    this.#seeBackup(restore.source);
    for (const gate of restore.gates) {
      this.see('GateReason', gate.reason);
      this.see('gate', `${gate.gate} ${gate.state}`);
    }
  }

  seeExplanation(explanation) {
    this.see('Change', explanation.change);
    this.see('Outcome', explanation.now.outcome);
    this.see('Outcome', explanation.recorded?.outcome);
  }

  #seeBackup({ state, finding, set }) {
    this.see('BackupHealth', state);
    this.see('BackupStatus', set?.status);
    this.see('Finding', finding);
  }

  /** How many words were seen. */
  get size() {
    return this.#seen.size;
  }

  /** What was not seen of what `description` and the table of gates promise. */
  missing(description) {
    const missing = [];
    const expect = (word) => {
      if (!this.#seen.has(word)) missing.push(word);
    };
    for (const [model, least] of Object.entries(MODELS)) {
      const words = wordsOf(description.components.schemas[model]);
      if (words.length < least) missing.push(`${model}: the description has ${words.length} of ${least} words`);
      for (const word of words) expect(`${model} ${word}`);
    }
    for (const [gate, states] of Object.entries(GATES)) {
      for (const state of states) expect(`gate ${gate} ${state}`);
    }
    for (const word of this.#seen) {
      const [kind, gate, state] = word.split(' ');
      if (kind === 'gate' && !GATES[gate]?.includes(state)) missing.push(`${word} was seen and is in no table`);
    }
    return missing;
  }
}

function wordsOf(schema) {
  const variants = [...(schema?.oneOf ?? []), schema ?? {}];
  return variants.flatMap((it) => ('const' in it ? [it.const] : (it.enum ?? [])));
}

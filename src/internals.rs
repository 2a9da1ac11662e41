//! The narrow door: what the integration tests and the bench crate use of this library, and nobody else.
//!
//! The library has one public function, [`main`](crate::main). What is not listed here and is used by no other module is
//! dead, and the compiler says so; of a type that is listed, it takes every public method for used.

pub mod cli {
    pub mod output {
        pub use crate::cli::output::{Document, TokenMade, TriggerWord};
    }
}
pub mod clock {
    pub use crate::clock::{Stopwatch, monotonic, wall};
}
pub mod config {
    pub use crate::config::{
        All, CONFIG_VARIABLE, Capability, Config, ConfigError, Console, Cron,
        DATABASE_URL_VARIABLE, Database, DatabaseUrl, Environment, FILE_BYTES_MAX,
        LISTEN_URL_VARIABLE, Linked, Metrics, Proxy, Reach, Token, Worker, addresses, variable_of,
    };
}
pub mod console {
    pub use crate::console::{
        ConnectionLimits, ConsoleLimits, ConsoleState, EnvironmentQuery, RestoreQuery, RunQuery,
        serve_console, serve_probes,
    };
    pub mod pages {
        pub use crate::console::pages::{
            EvidencePage, ExplainPage, Form, LoginPage, OverviewPage, ProblemPage, QueuePage,
            Refresh, RestorePage, RestoresPage, RunPage, RunsPage, Shell,
        };
    }
}
pub mod demo {
    pub use crate::demo::{
        DemoError, DemoOptions, DemoProgress, DemoReport, Phase, QueueReport, ThroughQueue, run,
    };
}
pub mod doctor {
    pub use crate::doctor::{
        Check, Examination, Level, Purpose, examine, examine_metadata, list_rights,
    };
    pub mod needs {
        pub use crate::doctor::needs::platform_tables;
    }
}
pub mod health {
    pub use crate::health::{
        DatabaseState, Health, HealthCheck, HealthLimits, Loop, Obstacle, Report, Schema,
    };
}
pub mod metrics {
    pub use crate::metrics::{DECLARED, Exporter, Role};
}
pub mod postures {
    pub use crate::postures::{Coverage, Postures, count};
}
pub mod storage {
    pub use crate::storage::{
        AUDITS_PER_RESTORE_MAX, Access, Action, ActionOnRecord, ActionVerb, Assessment,
        BATCH_RUNS_MAX, Backend, CheckpointDue, CheckpointRow, ClaimedJob, Distrust, ErrorKind,
        FeedProgress, Judge, LeafPart, LedgerPlace, Limits, Observations, OpinionOnRecord,
        OpinionPart, OpinionScope, Pause, Pruned, QueuePool, QueueState, RUN_COLUMN_BYTES_MAX,
        Rechecks, RecordedVerdict, Retention, Sealed, Settled, Settlement, Settling, Store,
        StoreError, SweepStart, Tally, TreeState, Trust, connect, hash_of, look_at_shape,
        queue_file,
    };
    pub mod census {
        pub use crate::storage::census::{COMPARED_MAX, Census};
    }
    pub mod reader {
        pub use crate::storage::reader::{
            EnvironmentPage, EnvironmentSeen, JUDGED_MAX, JobState, LOOKED_AT_MAX, LedgerFilter,
            LedgerParts, LedgerRow, LongestOpen, NextLook, OpenReason, OpenRuns, OrphanedRuns,
            PlaceSeen, QueueCount, QueueEntry, QueueListing, QueueScope, QueueStanding, Reader,
            RecentVerdict, RefusalSeen, RestoreFilter, RestoreInList, RestoreKind, RestoreListing,
            RestoreSeen, RunCounts, RunFilter, RunInFull, RunListing, RunOnRecord, RunParts,
            RunSeen, ShardJobs, SweepSeen, UnprovenRuns, VerdictSeen, Walk, Walked, WorkerSeen,
            Workspaces, open_reader, open_requests,
        };
    }
}
pub mod sweep {
    pub use crate::sweep::{Pass, Scope, rehearse, sweep};
}
pub mod telemetry {
    pub use crate::telemetry::{Format, Spans, start};
    pub mod names {
        pub use crate::telemetry::names::{OUTCOME, RUN_ID};
    }
}
pub mod ledger {
    pub use crate::ledger::checkpoint::{
        CheckpointSigner, NewKey, PinnedKey, SignatureState, note, origin_of, read_notes,
    };
    pub use crate::ledger::export::{ExportWriter, ExportedCheckpoints};
    pub use crate::ledger::exported::{ExportEntry, ExportLeaf, ExportVerdict};
    pub use crate::ledger::leaves::{TreeCheck, check_tree, make_leaves};
    pub use crate::ledger::offline::check_export;
    pub use crate::ledger::proofs::{LeafProofs, root_by};
    pub use crate::ledger::simulate::{OtherPolicy, simulate};
    pub use crate::ledger::verify::{LedgerCounts, verify};
}
pub mod tree {
    pub use crate::tree::{Edge, facts_seal};
}
pub mod views {
    pub use crate::views::{Moment, Visibility};
    pub mod environment {
        pub use crate::views::environment::{Judging, PostureShown, UndecidedShown};
    }
    pub mod explain {
        pub use crate::views::explain::Explanation;
    }
    pub mod mix {
        pub use crate::views::mix::Window;
    }
    pub mod overview {
        pub use crate::views::overview::{Overview, OverviewFacts};
    }
    pub mod queue {
        pub use crate::views::queue::{QueueView, RequestState, SweepsShown};
    }
    pub mod restore {
        pub use crate::views::restore::Preparation;
    }
    pub mod restores {
        pub use crate::views::restores::RestoreList;
    }
    pub mod run {
        pub use crate::views::run::RunDetail;
    }
    pub mod runs {
        pub use crate::views::runs::{RunLine, RunList};
    }
    pub mod state {
        pub use crate::views::RunState;
        pub use crate::views::state::RunStateShown;
    }
    pub mod survey {
        pub use crate::views::survey::Survey;
    }
    pub mod verdict {
        pub use crate::views::verdict::{DecisionWord, RunFate};
    }
}
pub mod worker {
    pub use crate::worker::{Broken, Checkpointing, Options, run, set_up};
}

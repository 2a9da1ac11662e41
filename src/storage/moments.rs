//! Whether moments are hours off each other: a bounded sample, judged by [`shift`].

use reconciler_jobs::shift::{self, Oddities, Sample};
use reconciler_jobs::stamp::Stamp;

use super::column::StoredMoment;
use super::distrust::Distrust;
use super::error::Result;
use super::statement::{statement, values};
use super::store::Store;

/// How many of the newest rows are looked at. At least [`shift::ROWS_MIN`] of them say something, or nothing is said.
const SAMPLE_ROWS_MAX: i64 = 500;

/// When a snapshot was generated and its row created, and when its restore began and ended.
type SampleRecord = (StoredMoment, StoredMoment, StoredMoment, StoredMoment);

fn sample((generated, created, began, ended): SampleRecord) -> Sample {
    let moment = |column| Stamp::from(column).moment();
    Sample {
        generated_at: moment(generated),
        created_at: moment(created),
        restore_started_at: moment(began),
        restore_completed_at: moment(ended),
    }
}

impl Store {
    /// Why nothing may be proven from what this database shows to this role, our schema being there. Not for the settling
    /// path, which asks what may change at any moment by itself.
    pub async fn find_distrust(&self) -> Result<Option<Distrust>> {
        if let Some(distrust) = self.find_obstacle().await? {
            return Ok(Some(distrust));
        }
        self.find_shift().await
    }

    /// Whether the newest evidence is dated hours off its restores or its own rows, and nobody has acknowledged it.
    pub async fn find_shift(&self) -> Result<Option<Distrust>> {
        if self.trust().time_shift {
            return Ok(None);
        }
        let samples = self.sample_moments().await?;
        Ok(shift::find(&samples).map(Distrust::ShiftedTimes))
    }

    /// The same, whether or not it was acknowledged, and what cannot be so row by row.
    pub async fn describe_moments(&self) -> Result<(Option<Distrust>, Oddities)> {
        let samples = self.sample_moments().await?;
        let oddities = shift::count_oddities(&samples, self.now().await?);
        Ok((shift::find(&samples).map(Distrust::ShiftedTimes), oddities))
    }

    /// Read in UTC, as settlements read: moments without a zone are what they say.
    async fn sample_moments(&self) -> Result<Vec<Sample>> {
        let statement = statement!("sample moments", "sample_moments");
        let values = values![SAMPLE_ROWS_MAX];
        let records: Vec<SampleRecord> = self.database.read_all(statement, values).await?;
        Ok(records.into_iter().map(sample).collect())
    }
}

//! What the panels showed, left in `target/dashboards` to be drawn: a file for each dashboard.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::files::{Dashboard, Panel, Place};
use super::server::Prometheus;

/// Leaves what `dashboards` showed in the last `seconds`.
pub(super) async fn leave(prometheus: &Prometheus, dashboards: &[Dashboard], seconds: u64) {
    let directory = target().join("dashboards");
    fs::create_dir_all(&directory).expect("a directory");
    for dashboard in dashboards {
        let mut panels = Vec::new();
        for panel in &dashboard.panels {
            panels.push(shown(prometheus, panel, seconds).await);
        }
        let answers = json!({ "title": dashboard.title, "panels": panels });
        let file = directory.join(format!("{}.json", dashboard.uid));
        fs::write(file, answers.to_string()).expect("a file");
    }
}

async fn shown(prometheus: &Prometheus, panel: &Panel, seconds: u64) -> Value {
    let mut targets = Vec::new();
    for target in &panel.targets {
        // What happens in minutes here happens in days elsewhere.
        let expression = target.expression("10s", &format!("{seconds}s"));
        let series = prometheus.ask_back(&expression, seconds).await;
        let series: Vec<Value> = series
            .into_iter()
            .map(|it| json!({ "labels": it["metric"], "points": it["values"] }))
            .collect();
        targets.push(json!({ "legend": target.legend_format, "series": series }));
    }
    let Place { x, y, w, h } = panel.grid_pos;
    json!({
        "type": panel.kind,
        "title": panel.title,
        "unit": panel.field_config.defaults.unit,
        "grid": { "x": x, "y": y, "w": w, "h": h },
        "colours": panel.field_config.colours(),
        "targets": targets,
    })
}

/// Where Cargo puts what it builds.
fn target() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_restore-reconciler"));
    let profile = program.parent().expect("a directory of a profile");
    profile.parent().expect("the target directory").to_owned()
}

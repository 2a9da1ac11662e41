//! Trace contexts of others: read as they were written, or not at all.

use reconciler_jobs::trace::TraceContext;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_trace_context_is_read_and_written_as_it_was() {
    let context = TraceContext::parse(TRACE).unwrap();
    assert_eq!(
        context.trace_id().to_string(),
        "4bf92f3577b34da6a3ce929d0e0e4736"
    );
    assert_eq!(context.parent_id().to_string(), "00f067aa0ba902b7");
    for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
        let text = TRACE.replace("-01", &format!("-{flags}"));
        let context = TraceContext::parse(&text).unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.is_sampled(), is_sampled, "{flags}");
    }
    let least = "00-00000000000000000000000000000001-0000000000000001-00";
    assert_eq!(TraceContext::parse(least).unwrap().to_string(), least);
}

#[test]
fn what_is_malformed_is_nothing() {
    for text in [
        "",
        "-",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47366-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-00",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
        "00-４bf92f3577b34da6a3ce929d0e0e-00f067aa0ba902b7-01",
    ] {
        assert_eq!(TraceContext::parse(text), None, "{text:?}");
    }
}

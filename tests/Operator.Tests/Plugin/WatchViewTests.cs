using System.Text.Json.Nodes;
using Opt.KubectlOpt.Views;
using Xunit;

namespace Opt.Operator.Tests.Plugin;

public sealed class WatchViewTests
{
    [Fact]
    public void Deadlines_that_run_are_shown_with_what_is_left_of_them()
    {
        var job = JsonNode.Parse("""
            {"metadata": {"name": "opt", "namespace": "ml"}, "spec": {}, "status": {"phase": "Running", "watches": [
              {"what": "hang", "since": "2026-01-01T00:00:00Z", "until": "2026-01-01T00:02:00Z"},
              {"what": "agentSilence", "node": "gpu-17", "pod": "opt-3", "since": "2026-01-01T00:00:15Z"}]}}
            """)!.AsObject();
        var text = JobViews.Detail(job, new(2026, 1, 1, 0, 0, 45, TimeSpan.Zero));
        Assert.Contains("\nWaited out:\n  hang for 45s, acted on in 75s\n  agentSilence of opt-3 on gpu-17 for 30s, only watched\n", text, StringComparison.Ordinal);
    }
}

using System.Globalization;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>The end of a run in a few lines: what came of it, what went wrong, where the time went, where to look.</summary>
internal static class Summary
{
    public static void Write(TextWriter output, string job, JobView view, IReadOnlyList<(long Step, double Loss)> losses, RunOptions options)
    {
        output.WriteLine();
        output.WriteLine($"{job}: {view.Phase} at step {view.Step} of {view.TotalSteps}, {view.Tokens.ToString("#,0", CultureInfo.InvariantCulture)} tokens");
        if (view.Problem is { } problem) output.WriteLine($"  problem      {problem}");
        if (losses.Count > 0)
        {
            output.WriteLine($"  loss         {RunText.Loss(losses[0].Loss)} at step {losses[0].Step} -> {RunText.Loss(losses[^1].Loss)} at step {losses[^1].Step}");
            output.WriteLine($"               {RunText.Curve([.. losses.OrderBy(l => l.Step).Select(l => l.Loss)], 60)}");
        }

        output.WriteLine($"  restarts     {view.Restarts}{(view.Causes.Count > 0 ? ": " + string.Join(", ", view.Causes.Select(c => $"{c.Count} x {c.Cause}")) : "")}");
        if (view.Quarantined.Count > 0) output.WriteLine($"  quarantined  {string.Join(", ", view.Quarantined.Select(q => $"{q.Node} ({q.Reason})"))}");
        WriteGoodput(output, view);
        output.WriteLine($"  checkpoints  {view.CheckpointLocation ?? "none"}{(view.CheckpointStep is { } step ? $" (newest: step {step})" : "")}");
        if (view.Logbook.Count > 0) output.WriteLine("  logbook");
        foreach (var entry in view.Logbook) output.WriteLine($"    step {entry.Step,5}  {entry.What}: {entry.Why}");
        output.WriteLine(options.Keep
            ? $"  look around  export KUBECONFIG={options.Kubeconfig}; kubectl get otj; kubectl describe otj {job}; kubectl get pods,nodes,events"
            : "  the cluster ends with this command; with --keep (make run KEEP=1) it goes on, for kubectl and the dashboard");
        if (options is { Keep: true, Dashboard: { } dashboard }) output.WriteLine($"  dashboard    {dashboard.Address}");
        output.WriteLine($"  logs         {options.StateDirectory}");
    }

    private static void WriteGoodput(TextWriter output, JobView view)
    {
        var total = view.Goodput.Sum(a => a.Seconds);
        if (total <= 0) return;
        var parts = view.Goodput.Where(a => a.Seconds >= 0.5).OrderByDescending(a => a.Seconds)
            .Select(a => string.Create(CultureInfo.InvariantCulture, $"{a.Account} {a.Seconds:0} s ({100 * a.Seconds / total:0} %)"));
        output.WriteLine($"  time         {string.Join(", ", parts)}");
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Opt.KubectlOpt.Cluster;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Cli;

/// <summary>Commands that ask for something. Each is one patch of the job or of a node; the operator does the rest and writes it into the logbook.</summary>
internal static class WriteCommands
{
    /// <summary>One-shot requests to the operator: <c>PREFIX/NAME: "ID [ARGUMENT]"</c>, answered once an id in status.handledRequests.</summary>
    public const string RequestPrefix = "request.training.opt-operator.io";
    private const string QuarantineAnnotation = "training.opt-operator.io/quarantine";
    private const string OffencesAnnotation = "training.opt-operator.io/offences";
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "have the API server check the change without storing it" };

    public static IEnumerable<Command> All(Runner run) => [Suspend(run), Resume(run), CheckpointNow(run), Rollback(run), Relaunch(run), Pause(run), Quarantine(run), Release(run)];

    private static Command Suspend(Runner run)
    {
        var name = Arguments.Name();
        var command = new Command("suspend", "Checkpoint, then give the machines back. `resume` goes on from there.") { name, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            if (job.Flag("spec", "suspend")) return Said(terminal, job, "already suspended", false);
            await cluster.PatchAsync(job, new() { ["spec"] = new JsonObject { ["suspend"] = true } }, parsed.GetValue(DryRun), ct);
            return Said(terminal, job, "suspended", parsed.GetValue(DryRun));
        });
        return command;
    }

    private static Command Resume(Runner run)
    {
        var name = Arguments.Name();
        var from = new Option<string?>("--from") { Description = "for a job that a policy paused: newest (go on as it is) or initial-weights; without it, as the policy proposes" };
        from.AcceptOnlyFromAmong("newest", "initial-weights");
        var (wait, timeout) = Waiting();
        var command = new Command("resume", "Go on with a suspended job, or with one that waits for a person.") { name, from, wait, timeout, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            if (job.Text("status", "phase") == "Paused") return await RequestAsync(cluster, terminal, job, "resume", parsed.GetValue(from), Patience(parsed, wait, timeout), parsed.GetValue(DryRun), ct);
            if (!job.Flag("spec", "suspend")) return Said(terminal, job, "not suspended", false);
            await cluster.PatchAsync(job, new() { ["spec"] = new JsonObject { ["suspend"] = false } }, parsed.GetValue(DryRun), ct);
            return Said(terminal, job, "resumed", parsed.GetValue(DryRun));
        });
        return command;
    }

    private static Command CheckpointNow(Runner run) => Request(run, "checkpoint-now", "checkpoint", "Save a checkpoint at the next step, besides those of the schedule.");

    private static Command Relaunch(Runner run) => Request(run, "relaunch", "relaunch", "Checkpoint, then start all workers anew in the same pods.");

    private static Command Pause(Runner run)
    {
        var name = Arguments.Name();
        var length = new Option<TimeSpan?>("--for") { Description = "how long, such as 30m; without it, until `resume` or an edit", CustomParser = r => Arguments.Duration(r) };
        var (wait, timeout) = Waiting();
        var command = new Command("pause", "Checkpoint, then stop training and keep pods and machines. `resume` goes on from there.") { name, length, wait, timeout, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var asked = parsed.GetValue(length) is { } given ? FormattableString.Invariant($"{given.TotalSeconds:0.###}s") : null;
            return await RequestAsync(cluster, terminal, await cluster.GetAsync(parsed.GetValue(name), ct), "pause", asked, Patience(parsed, wait, timeout), parsed.GetValue(DryRun), ct);
        });
        return command;
    }

    private static Command Rollback(Runner run)
    {
        var name = new Argument<string>("NAME") { Description = "the job" };
        var to = new Option<string>("--to") { Description = "a step (the newest checkpoint at or before it is taken) or `healthy`", Required = true };
        to.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<string>() is var given && given != "healthy" && !long.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out _)) r.AddError($"--to: \"{given}\" is not allowed; a step number or healthy");
        });
        var (wait, timeout) = Waiting();
        var command = new Command("rollback", "Give up the steps after a checkpoint and train on from it.\n\n  kubectl opt checkpoints opt-175b\n  kubectl opt rollback opt-175b --to 12000") { name, to, wait, timeout, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var step = parsed.GetValue(to) is "healthy" ? job.Number("status", "lastHealthyCheckpoint", "step") ?? throw new CommandException($"{job.Name()} has no healthy checkpoint yet; kubectl opt checkpoints {job.Name()} lists those there are")
                : double.Parse(parsed.GetValue(to)!, CultureInfo.InvariantCulture);
            return await RequestAsync(cluster, terminal, job, "rollback", Show.Whole(step), Patience(parsed, wait, timeout), parsed.GetValue(DryRun), ct);
        });
        return command;
    }

    private static Command Quarantine(Runner run)
    {
        var node = new Argument<string>("NODE") { Description = "a node of the cluster" };
        var reason = new Option<string>("--reason") { Description = "one word for the label, such as Manual or EccErrors", DefaultValueFactory = _ => "Manual" };
        reason.Validators.Add(r =>
        {
            if (r.GetValueOrDefault<string>() is not { Length: > 0 and <= 63 } given || !given.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') || !char.IsAsciiLetterOrDigit(given[0]) || !char.IsAsciiLetterOrDigit(given[^1])) r.AddError($"--reason: \"{r.GetValueOrDefault<string>()}\" is not allowed; 1 to 63 letters, digits, '-', '_' and '.', as a label has");
        });
        var command = new Command("quarantine", "Keep all training jobs off a node: label and cordon. A member there is moved to a spare.") { node, reason, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var name = parsed.GetValue(node)!;
            await cluster.PatchNodeAsync(name, Marks(parsed.GetValue(reason), cordon: true), parsed.GetValue(DryRun), ct);
            terminal.Out.WriteLine($"node/{name} quarantined{Suffix(parsed.GetValue(DryRun))}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Release(Runner run)
    {
        var node = new Argument<string>("NODE") { Description = "a node that was put aside, by a person or by the operator" };
        var command = new Command("release", "Give a quarantined node back: remove label, cordon and taint.") { node, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var name = parsed.GetValue(node)!;
            var found = await cluster.GetNodeAsync(name, ct);
            if (found.Text("metadata", "labels", JobCluster.QuarantinedLabel) is null) throw new CommandException($"node/{name} is not quarantined");
            await cluster.PatchNodeAsync(name, Untainted(found, Marks(null, cordon: false, terminal.Clock.GetUtcNow())), parsed.GetValue(DryRun), ct);
            terminal.Out.WriteLine($"node/{name} released{Suffix(parsed.GetValue(DryRun))}");
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Request(Runner run, string verb, string request, string description)
    {
        var name = Arguments.Name();
        var (wait, timeout) = Waiting();
        var command = new Command(verb, description) { name, wait, timeout, DryRun };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
            await RequestAsync(cluster, terminal, await cluster.GetAsync(parsed.GetValue(name), ct), request, null, Patience(parsed, wait, timeout), parsed.GetValue(DryRun), ct));
        return command;
    }

    private static async Task<int> RequestAsync(JobCluster cluster, Terminal terminal, JsonObject job, string request, string? argument, TimeSpan patience, bool dryRun, CancellationToken ct)
    {
        if (job.Flag("spec", "suspend")) throw new CommandException($"{job.Name()} is suspended, and nobody would answer; kubectl opt resume {job.Name()} first");
        if (JobViews.IsFinished(job)) throw new CommandException($"{job.Name()} has ended ({job.Text("status", "phase")}), and nobody would answer");
        var id = terminal.Clock.GetUtcNow().ToString("yyyyMMdd'T'HHmmss.fff'Z'", CultureInfo.InvariantCulture);
        var value = argument is null ? id : $"{id} {argument}";
        await cluster.PatchAsync(job, new() { ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { [$"{RequestPrefix}/{request}"] = value } } }, dryRun, ct);
        Said(terminal, job, $"{request} requested ({value})", dryRun);
        if (dryRun || patience == TimeSpan.Zero) return ExitCodes.Done;
        using var deadline = new CancellationTokenSource(patience, terminal.Clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, ct);
        try
        {
            await foreach (var jobs in cluster.FollowAsync(job.Name(), allNamespaces: false, both.Token))
            {
                var answer = jobs.SelectMany(j => j.At("status").Items("handledRequests")).FirstOrDefault(h => h.Text("request") == request && h.Text("id") == id)?.Text("answer");
                if (answer is null) continue;
                terminal.Out.WriteLine(answer);
                return answer.StartsWith("refused", StringComparison.Ordinal) ? ExitCodes.Failed : ExitCodes.Done;
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // no answer in time
        }

        terminal.Error.WriteLine($"error: the operator has not answered within {Show.Duration(patience)}; the request stands, and its answer will be in status.handledRequests");
        return ExitCodes.NotAnswered;
    }

    private static (Option<bool> Wait, Option<TimeSpan?> Timeout) Waiting() => (
        new("--wait") { Description = "wait for the operator's answer; --wait=false does not", DefaultValueFactory = _ => true },
        new("--timeout") { Description = "how long to wait; without it, 60s", CustomParser = r => Arguments.Duration(r) });

    private static TimeSpan Patience(ParseResult parsed, Option<bool> wait, Option<TimeSpan?> timeout) => parsed.GetValue(wait) ? parsed.GetValue(timeout) ?? TimeSpan.FromSeconds(60) : TimeSpan.Zero;

    /// <summary>Merge patch: null removes.</summary>
    private static JsonObject Marks(string? reason, bool cordon, DateTimeOffset now = default)
    {
        var metadata = new JsonObject { ["labels"] = new JsonObject { [JobCluster.QuarantinedLabel] = reason } };
        // What jobs had against it is forgiven as of now: a node given back by hand starts afresh.
        if (reason is null) metadata["annotations"] = new JsonObject { [QuarantineAnnotation] = null, [OffencesAnnotation] = new JsonObject { ["since"] = now.ToString("O", CultureInfo.InvariantCulture) }.ToJsonString() };
        return new() { ["metadata"] = metadata, ["spec"] = new JsonObject { ["unschedulable"] = cordon ? true : null } };
    }

    /// <summary>Without the taint of a quarantine that evicts. Taints are one list, so it is written against the version that was read.</summary>
    private static JsonObject Untainted(JsonObject node, JsonObject patch)
    {
        var taints = node.At("spec").Items("taints").ToArray();
        var others = taints.Where(t => t.Text("key") != JobCluster.QuarantinedLabel).Select(t => t.DeepClone()).ToArray();
        if (others.Length == taints.Length) return patch;
        (patch["spec"]!["taints"], patch["metadata"]!["resourceVersion"]) = (others.Length == 0 ? null : new JsonArray(others), node.Text("metadata", "resourceVersion"));
        return patch;
    }

    private static int Said(Terminal terminal, JsonObject job, string what, bool dryRun)
    {
        terminal.Out.WriteLine($"opttrainingjob.training.opt-operator.io/{job.Name()} {what}{Suffix(dryRun)}");
        return ExitCodes.Done;
    }

    private static string Suffix(bool dryRun) => dryRun ? " (server dry run)" : "";
}

using System.CommandLine;
using System.Text.Json.Nodes;
using Opt.KubectlOpt.Cluster;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Cli;

/// <summary>Commands that only look.</summary>
internal static class ReadCommands
{
    public static IEnumerable<Command> All(Runner run) => [Status(run), Logbook(run), Lineage(run), Checkpoints(run), Nodes(run), Goodput(run), Explain(run)];

    private static Command Status(Runner run)
    {
        var (name, output) = (Arguments.Name(), Arguments.Output("wide"));
        var all = new Option<bool>("--all-namespaces", "-A") { Description = "jobs of every namespace" };
        var watch = new Option<bool>("--watch", "-w") { Description = "a view that is redrawn as the job goes on; ends with it" };
        var command = new Command("status", "Jobs at a glance, or one job in detail.\n\n  kubectl opt status -A\n  kubectl opt status opt-175b -w") { name, output, all, watch };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var (one, format) = (parsed.GetValue(name), parsed.GetValue(output));
            if (!parsed.GetValue(watch))
            {
                if (one is not null) Show(terminal, format, await cluster.GetAsync(one, ct));
                else ShowAll(terminal, format, await cluster.ListAsync(parsed.GetValue(all), ct), parsed.GetValue(all), cluster.Namespace);
                return ExitCodes.Done;
            }

            await foreach (var jobs in cluster.FollowAsync(one, parsed.GetValue(all), ct))
            {
                if (one is not null && jobs.Count == 0) throw new CommandException($"opttrainingjobs.training.opt-operator.io \"{one}\" not found");
                var now = terminal.Clock.GetUtcNow();
                terminal.Redraw(one is null ? JobViews.List(jobs, parsed.GetValue(all), format == "wide", now) : terminal.IsInteractive ? JobViews.Detail(jobs[0], now) : JobViews.List(jobs, false, format == "wide", now));
                if (one is not null && JobViews.IsFinished(jobs[0])) break;
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Logbook(Runner run)
    {
        var (name, output) = (Arguments.Name(), Arguments.Output());
        var search = new Option<string?>("--search") { Description = "only entries that hold this text, whatever its case" };
        var watch = new Option<bool>("--watch", "-w") { Description = "go on with new entries until the job ends" };
        var command = new Command("logbook", "All that was done to a job, when, why and by whom, oldest first. The ID of an entry goes into `explain`.\n\n  kubectl opt logbook opt-175b --search quarantined") { name, output, search, watch };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var book = await cluster.LogbookAsync(job, ct);
            var entries = Matching(book.Entries, parsed.GetValue(search)).ToArray();
            terminal.Print(parsed.GetValue(output), Printing.List(entries), () => (entries.Length == 0 ? "No entries.\n" : JobViews.Logbook(entries, terminal.Clock.GetUtcNow(), terminal.Width)) + book.Missing);
            if (!parsed.GetValue(watch)) return ExitCodes.Done;
            var said = entries.Select(JobViews.Id).ToHashSet();
            await foreach (var jobs in cluster.FollowAsync(job.Name(), allNamespaces: false, ct))
            {
                if (jobs.Count == 0) break;
                foreach (var entry in Matching(jobs[0].At("status").Items("logbook"), parsed.GetValue(search)).Where(e => said.Add(JobViews.Id(e)))) terminal.Out.WriteLine($"{JobViews.Id(entry)}   {Views.Show.Time(entry.Time("time"))}   {entry.Text("what")}: {entry.Text("why")}");
                if (JobViews.IsFinished(jobs[0])) break;
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Lineage(Runner run)
    {
        var (name, output) = (Arguments.Name(), Arguments.Output());
        var command = new Command("lineage", "Every launch: from which epoch and checkpoint it went on, why, what changed with it, and how it ended.") { name, output };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var plans = await cluster.PlansAsync(job, ct);
            terminal.Print(parsed.GetValue(output), Printing.List(PlanViews.WithOutcome(job, plans)), () => plans.Count == 0 ? "No launch yet.\n" : PlanViews.Lineage(job, plans, terminal.Clock.GetUtcNow(), terminal.Width));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Checkpoints(Runner run)
    {
        var (name, output) = (Arguments.Name(), Arguments.Output());
        var command = new Command("checkpoints", "Checkpoints of a job and which epochs resumed from them.\n\n  kubectl opt checkpoints opt-175b\n  kubectl patch optckpt NAME --type merge -p '{\"spec\": {\"pinned\": true}}'") { name, output };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var (plans, objects) = (await cluster.PlansAsync(job, ct), await cluster.CheckpointsAsync(job, ct));
            // Without objects (no definition, no permission): what the status and the plans remember.
            var known = objects.Count > 0 ? objects : new[] { job.At("status", "lastCheckpoint"), job.At("status", "lastHealthyCheckpoint") }.Concat(plans.Select(p => p.At("resume"))).OfType<JsonNode>();
            terminal.Print(parsed.GetValue(output), Printing.List(known), () => objects.Count > 0 ? CheckpointViews.List(objects, plans, terminal.Clock.GetUtcNow()) : PlanViews.Checkpoints(job, plans, terminal.Clock.GetUtcNow()));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Nodes(Runner run)
    {
        var (name, output) = (Arguments.Name(), Arguments.Output());
        var command = new Command("nodes", "Members with their ranks, spares, and nodes put aside.") { name, output };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var pods = await cluster.PodsAsync(job, ct);
            var plans = await cluster.PlansAsync(job, ct);
            var nodes = await cluster.NodesAsync(ct);
            terminal.Print(parsed.GetValue(output), Printing.List(pods), () => PlanViews.Nodes(plans is [.., var plan] ? plan : null, pods, nodes, terminal.Clock.GetUtcNow()));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Goodput(Runner run)
    {
        var (name, output) = (Arguments.Name(), Arguments.Output());
        var command = new Command("goodput", "Where the time of a job went, by account of its ledger.") { name, output };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            terminal.Print(parsed.GetValue(output), Printing.List(job.At("status").Items("goodput")), () => JobViews.Goodput(job));
            return ExitCodes.Done;
        });
        return command;
    }

    private static Command Explain(Runner run)
    {
        var name = new Argument<string>("NAME") { Description = "the job" };
        var decision = new Argument<string?>("DECISION") { Description = "ID of a logbook entry (or its beginning), or an epoch; without it, the newest entry", Arity = ArgumentArity.ZeroOrOne };
        var output = Arguments.Output();
        var command = new Command("explain", "One decision in full: evidence, cause, plan, outcome, budgets.\n\n  kubectl opt explain opt-175b 3fa9c1d2\n  kubectl opt explain opt-175b 7 -o yaml      # the launch of epoch 7, with its whole plan") { name, decision, output };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var found = Explanation.Of((await cluster.LogbookAsync(job, ct)).Entries, await cluster.PlansAsync(job, ct), parsed.GetValue(decision))
                ?? throw new CommandException(parsed.GetValue(decision) is { } given ? $"{job.Name()} has no decision \"{given}\"; kubectl opt logbook {job.Name()} lists them" : $"{job.Name()} has no decisions yet");
            terminal.Print(parsed.GetValue(output), found.ToJson(), () => found.ToText(terminal.Clock.GetUtcNow()));
            return ExitCodes.Done;
        });
        return command;
    }

    private static IEnumerable<JsonObject> Matching(IEnumerable<JsonObject> entries, string? search) => entries
        .Where(e => search is null || $"{e.Text("actor")} {e.Text("what")} {e.Text("why")}".Contains(search, StringComparison.OrdinalIgnoreCase));

    private static void Show(Terminal terminal, string? format, JsonObject job) =>
        terminal.Print(format, job, () => format == "wide" ? JobViews.List([job], false, true, terminal.Clock.GetUtcNow()) : JobViews.Detail(job, terminal.Clock.GetUtcNow()));

    private static void ShowAll(Terminal terminal, string? format, IReadOnlyList<JsonObject> jobs, bool all, string @namespace) =>
        terminal.Print(format, Printing.List(jobs), () => jobs.Count == 0 ? all ? "No resources found\n" : $"No resources found in {@namespace} namespace.\n" : JobViews.List(jobs, all, format == "wide", terminal.Clock.GetUtcNow()));
}

using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Divergence;

namespace Opt.Planning;

/// <summary>Works out the whole status from the old one, what was seen and what was decided. Numbers are rounded: they are for people.</summary>
internal static class StatusWriter
{
    private const int KeptEntries = 20;
    private const int ShownNodes = 32;

    /// <returns>The status, and the logbook entries that are new or have an outcome now: some may have no room in the status.</returns>
    public static (OptTrainingJobStatus Status, EquatableList<LogbookEntry> Entries) Write(Situation s, Move move)
    {
        var old = s.Job.Status;
        var fault = move.Memory.Incident is { Severity: not Severity.Planned } incident ? incident : null;
        var ended = move.Phase is JobPhase.Succeeded or JobPhase.Failed;
        // Once a job has ended its ledger is closed; if it is started again, the time between counts as a pause.
        var closed = ended && old is { Phase: JobPhase.Succeeded or JobPhase.Failed, GoodputAsOf: { } end } ? new Ledger.Book(old.Goodput, end, old.HighestStep) : null;
        var book = closed ?? Ledger.Charge(old, s.Seen.Steps.New, move.Account, fault?.DetectedAt, Draining.IsLastSave(s), s.Now);
        var (restarts, grown) = (Restarts(s, old), Goodput.Grown(old?.Goodput ?? [], book.Accounts));
        var lost = Goodput.Causes(s, move, grown);
        var age = s.Now - (old?.StartTime ?? s.Now);
        // Of an ended job what was measured stands.
        var advice = closed is null ? Advice.Of(restarts, s.Nodes, age, Advice.Stall(s)) : old!.Advice;
        var history = Goodput.History(old?.GoodputHistory ?? [], grown, lost, s.Now);
        var status = Numbers(s, old ?? new()) with
        {
            ObservedGeneration = s.Job.Metadata.Generation,
            Phase = move.Phase,
            Conditions = Conditions.Merge(old?.Conditions ?? [], [.. Always(s), .. advice is null ? Array.Empty<Fact>() : [Advice.Followed(s, advice, age)], .. move.Facts], s.Job.Metadata.Generation, s.Now),
            Epoch = Math.Max(s.Plan?.Epoch ?? 0, old?.Epoch ?? 0),
            Revision = s.Plan?.Revision ?? 0,
            Run = s.Plan?.Run ?? "",
            HyperParameters = DivergenceReport.HyperParameters(s),
            DivergencePolicies = DivergenceReport.Policies(s),
            HandledRequests = [.. (s.Plan?.Handled ?? []).Select(h => new HandledRequestStatus { Request = h.Request, Id = h.Id, At = h.At, Answer = h.Answer })],
            NodeTests = Diagnostics.NodeTests.Of(s),
            Watches = ended ? [] : Watches.Of(s, move),
            Judged = s.Judgement.To,
            TotalSteps = (s.Plan?.Training ?? s.Desired).HyperParameters.TotalSteps,
            LastCheckpoint = Checkpoint(s, s.Seen.Steps.Committed ?? s.Plan?.Resume) ?? old?.LastCheckpoint,
            LastHealthyCheckpoint = Checkpoint(s, s.Seen.Steps.Healthy) ?? old?.LastHealthyCheckpoint,
            Restore = ended ? null : Restoring.Of(s),
            Nodes = NodesOf(s, ended),
            Restarts = restarts,
            GoodputHistory = history,
            GoodputWindows = Goodput.Windows(history),
            LostTime = Goodput.Lost(old?.LostTime ?? [], lost),
            Advice = advice,
            Goodput = book.Accounts,
            GoodputAsOf = book.AsOf,
            HighestStep = book.HighestStep,
            StartTime = old?.StartTime ?? s.Now,
            CompletionTime = ended ? old?.CompletionTime ?? s.Seen.StatefulSet?.Outcome?.At ?? s.Now : null,
        };
        // The last steps may have passed while no operator looked; success proves that they did.
        if (move.Phase is JobPhase.Succeeded) status = status with { Step = Math.Max(status.Step, s.Seen.StatefulSet?.Outcome?.Step ?? status.TotalSteps) };
        var losses = Losses.Of(old, status, s.Now);
        status = status with { GoodputStop = losses.Stop, GoodputDay = losses.Day };
        var (kept, news) = Logbook.Write(s, move with { Notes = [.. move.Notes, .. losses.Notes] }, status);
        return (status with { Logbook = kept }, news);
    }

    private static OptTrainingJobStatus Numbers(Situation s, OptTrainingJobStatus old)
    {
        if (s.Seen.Steps.Newest is not { } newest) return old;
        return old with
        {
            Step = newest.Step,
            Attempt = newest.Attempt,
            Samples = newest.Samples,
            Tokens = newest.Tokens,
            Loss = newest.Loss is { } loss ? Math.Round(loss, 4) : null,
            LearningRate = Significant(newest.LearningRate),
            LossScale = newest.LossScale,
            GradientNorm = newest.GradientNorm is { } norm ? Significant(norm) : null,
            TokensPerSecond = Math.Round(newest.TokensPerSecond, 1),
            StepSeconds = Math.Round(newest.Seconds, 3),
        };
    }

    private static double Significant(double value) => double.Parse(value.ToString("G4", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture);

    private static IEnumerable<Fact> Always(Situation s)
    {
        yield return Fact.True(ConditionTypes.SpecValid, "Valid");
        yield return s.Seen.TemplateFaults.Count == 0 ? Fact.True(ConditionTypes.PodTemplateValid, "Accepted") : Fact.False(ConditionTypes.PodTemplateValid, "Refused", string.Join("; ", s.Seen.TemplateFaults));
        yield return s.Seen.CanActOnNodes
            ? Fact.True(ConditionTypes.NodeActionsAllowed, "ClusterScope", "bad nodes are labelled and cordoned")
            : Fact.False(ConditionTypes.NodeActionsAllowed, "NamespaceScope", "this install may not touch nodes: pods are replaced, but may come back on a bad node");
        yield return Leaving.InService(s);
        yield return Straggling.Normal(s) ?? Slowness.Normal(s) ?? Fact.True(ConditionTypes.PaceNormal, "Normal");
        yield return Fact.False(ConditionTypes.Failed, "NotFailed");
        yield return Fact.False(ConditionTypes.Succeeded, "NotYet");
        yield return Fact.False(ConditionTypes.Paused, "NotAsked");
        yield return DivergenceReport.Applied(s);
        if (!s.Job.Spec.Suspend) yield return Fact.False(ConditionTypes.Suspended, "NotAsked");
    }

    private static NodesStatus NodesOf(Situation s, bool ended) => new()
    {
        Desired = s.Nodes,
        Ready = ended ? 0 : s.Plan is null ? Math.Min(s.Candidates.Count, s.Nodes) : s.Members.Count(m => m is { Pod.Terminating: false, Agent.Answers: true } && m.IsSameAgent),
        SparesReady = s.Candidates.Count(c => s.MemberWith(c.Uid) is null) is var free && s.Plan is null ? Math.Max(0, free - s.Nodes) : free,
        Quarantined = [.. s.Seen.Nodes.Where(n => n.Quarantine?.JobUid == s.Uid).OrderByDescending(n => n.Quarantine!.Since).ThenBy(n => n.Name, StringComparer.Ordinal).Take(ShownNodes)
            .Select(n => new QuarantinedNode { Name = n.Name, Reason = n.Quarantine!.Reason, Since = n.Quarantine.Since, Until = n.Quarantine.Until })],
    };

    /// <summary>Launches after the first; plans newer than the old status are added to its counts.</summary>
    private static RestartsStatus Restarts(Situation s, OptTrainingJobStatus? old)
    {
        var fresh = s.Seen.Plans.Select(p => p.Plan).Where(p => p.Revision == 0 && p.ParentEpoch > 0 && p.Epoch > (old?.Epoch ?? 0)).Select(p => p.Cause.Reason).ToArray();
        if (fresh.Length == 0) return old?.Restarts ?? new();
        var counts = (old?.Restarts.ByCause ?? []).ToDictionary(c => c.Cause, c => c.Count, StringComparer.Ordinal);
        foreach (var cause in fresh) counts[cause] = counts.GetValueOrDefault(cause) + 1;
        return new() { Total = counts.Values.Sum(), ByCause = [.. counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => new RestartCount { Cause = c.Key, Count = c.Value })] };
    }

    private static CheckpointStatus? Checkpoint(Situation s, CheckpointSummary? summary) => summary is null ? null : new()
    {
        Step = summary.Step,
        Epoch = summary.Epoch,
        CommittedAt = summary.CommittedAt,
        Bytes = summary.Bytes,
        Location = $"{StoreName(s.Job.Spec.Checkpoint.Store)}/{summary.Path}",
        Verdict = summary.Verdict,
    };

    private static string StoreName(StoreSpec store) => store.AzureBlob is { } blob
        ? $"azure://{blob.Account}/{blob.Container}{(blob.Prefix.Length == 0 ? "" : $"/{blob.Prefix.Trim('/')}")}"
        : store.Directory?.Path ?? "";

    private static class Logbook
    {
        /// <summary>
        /// Launches and quarantines are entered when first seen as plan or label, not when decided: so an entry is neither lost nor doubled
        /// when the operator dies in between.
        /// </summary>
        /// <returns>The newest entries, and of all entries those that are new or have an outcome now.</returns>
        public static (EquatableList<LogbookEntry> Kept, EquatableList<LogbookEntry> News) Write(Situation s, Move move, OptTrainingJobStatus status)
        {
            var old = s.Job.Status;
            var book = old?.Logbook ?? [];
            var known = book.Select(e => (e.Time, e.What)).ToHashSet();
            var seen = Launches(s, old).Concat(Quarantines(s, old)).Where(e => !known.Contains((e.Time, e.What)));
            var decided = move.Notes.Concat(Returned(s, old)).Concat(Ending(old, status)).Select(n => Entry(s.Now, status.Epoch, status.Step, n));
            var fresh = seen.Concat(decided).OrderBy(e => e.Time).ToArray();
            var told = Outcomes.Of(s, fresh.Length == 0 ? book : [.. book, .. fresh]);
            return told == book ? (book, []) : ([.. told.TakeLast(KeptEntries)], [.. told.Except(book)]);
        }

        private static IEnumerable<LogbookEntry> Launches(Situation s, OptTrainingJobStatus? old) => s.Seen.Plans.Index()
            .Where(p => (p.Item.Plan.Epoch, p.Item.Plan.Revision).CompareTo((old?.Epoch ?? 0, old?.Revision ?? -1)) > 0)
            .Select(p => Launched(p.Item.Plan, p.Item.ParentStep, p.Index == 0 ? null : s.Seen.Plans[p.Index - 1].Plan));

        private static LogbookEntry Launched(RunPlan p, long? parentStep, RunPlan? before) => p.Intervention is { } done && p.Revision > 0 ? Entry(p.CreatedAt, p.Epoch, done.Step, new(done.What, done.Why), done.Actor) : Entry(p.CreatedAt, p.Epoch, p.Resume?.Step ?? 0, p.Revision > 0
            ? new($"sent revision {p.Revision} of epoch {p.Epoch}", p.Cause.Message)
            : new($"launched epoch {p.Epoch} (run {p.Run}) from {(p.Resume is null ? "initial weights" : $"step {p.Resume.Step}{(p.Resume.IsDurable ? "" : " in memory, or the newest before it that can be read")}")} on {string.Join(", ", p.Members.Take(4).Select(m => m.Node))}{(p.Members.Count > 4 ? $" and {p.Members.Count - 4} more" : "")}", $"{p.Cause.Reason}: {p.Cause.Message}{Descent(p, parentStep, before)}"));

        /// <summary>So that the logbook tells the lineage of a run when its plans are long gone.</summary>
        private static string Descent(RunPlan p, long? parentStep, RunPlan? before) => p.ParentEpoch == 0 ? "" : string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"; after epoch {p.ParentEpoch}{(parentStep is null ? "" : $", which came to step {parentStep}")}{(PlanDifference.Of(before, p) is { Count: > 0 } changed ? $"; changed: {string.Join(", ", changed)}" : "")}");

        /// <summary>Those that the status shows were told, and so were all older ones when it shows as many as it may.</summary>
        private static IEnumerable<LogbookEntry> Quarantines(Situation s, OptTrainingJobStatus? old) => s.Seen.Nodes
            .Where(n => n.Quarantine?.JobUid == s.Uid && (old?.Nodes.Quarantined ?? []) is var shown && shown.All(q => q.Name != n.Name || q.Since != n.Quarantine.Since) && (shown.Count < ShownNodes || n.Quarantine.Since > shown[^1].Since))
            .Select(n => Entry(n.Quarantine!.Since, s.Plan?.Epoch ?? 0, s.Job.Status?.Step ?? 0, new($"quarantined node {n.Name}", n.Quarantine.Reason)));

        private static IEnumerable<Note> Returned(Situation s, OptTrainingJobStatus? old) => !s.Seen.CanActOnNodes ? [] : (old?.Nodes.Quarantined ?? [])
            .Where(q => s.Seen.Nodes.All(n => n.Name != q.Name || n.Quarantine?.JobUid != s.Uid))
            .Select(q => new Note($"returned node {q.Name} to service", $"its quarantine ended, or the node is gone; it was: {q.Reason}"));

        private static IEnumerable<Note> Ending(OptTrainingJobStatus? old, OptTrainingJobStatus now)
        {
            if (now.Phase == old?.Phase || now.Phase is not (JobPhase.Succeeded or JobPhase.Failed or JobPhase.Suspended)) yield break;
            var type = now.Phase.ToString();
            var condition = now.Conditions.First(c => c.Type == type);
            yield return new(now.Phase switch { JobPhase.Succeeded => "finished", JobPhase.Failed => "stopped", _ => "suspended" }, $"{condition.Reason}: {condition.Message}");
        }

        private static LogbookEntry Entry(DateTimeOffset time, long epoch, long step, Note note, string actor = "operator") => new() { Time = time, Epoch = epoch, Step = step, Actor = actor, What = note.What.Length <= 1000 ? note.What : note.What[..1000], Why = note.Why.Length <= 2000 ? note.Why : note.Why[..2000] };
    }
}

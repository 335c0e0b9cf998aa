using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;

namespace Opt.Api.Validation;

/// <summary>Rules over more than one field. The schema's own limits hold already.</summary>
internal static class CrossFieldRules
{
    public static IEnumerable<SpecFault> Faults(OptTrainingJobSpec spec)
    {
        SpecFault[] faults = [.. Model(spec), .. Topology(spec), .. Batch(spec), .. Schedule(spec.Training.LearningRate), .. Checkpoint(spec.Checkpoint), .. Data(spec.Data), .. Policy(spec.FailurePolicy), .. DivergenceRules.Faults(spec)];
        return faults.Length > 0 ? faults : MemoryRules.Faults(spec);
    }

    private static IEnumerable<SpecFault> Model(OptTrainingJobSpec spec)
    {
        var model = spec.Model;
        var custom = new (string Name, int? Value)[]
        {
            ("layers", model.Layers), ("hiddenSize", model.HiddenSize), ("heads", model.Heads), ("ffnSize", model.FfnSize), ("vocabSize", model.VocabSize), ("maxPositions", model.MaxPositions),
        };
        if (model.Preset is not null)
        {
            foreach (var (name, value) in custom.Where(c => c.Value is not null)) yield return new($"spec.model.{name}", $"{value}", $"preset {model.Preset} fixes the sizes: remove this field, or remove preset");
            yield break;
        }

        foreach (var (name, _) in custom.Take(3).Where(c => c.Value is null)) yield return new($"spec.model.{name}", SpecFault.Absent, "required without a preset");
        if (model is { HiddenSize: { } hidden, Heads: { } heads } && hidden % heads != 0) yield return new("spec.model.heads", $"{heads}", $"must divide hiddenSize {hidden}");
        if (spec.Training.BatchTokens is null) yield return new("spec.training.batchTokens", SpecFault.Absent, "required without a preset");
        if (spec.Training.LearningRate.Peak is null) yield return new("spec.training.learningRate.peak", SpecFault.Absent, "required without a preset");
    }

    private static IEnumerable<SpecFault> Topology(OptTrainingJobSpec spec)
    {
        if (spec.Topology.MinNodes > spec.Topology.Nodes) yield return new("spec.topology.minNodes", $"{spec.Topology.MinNodes}", $"must be at most nodes {spec.Topology.Nodes}");
        if (Preset(spec) is null && spec.Model.Heads is null) yield break;
        var perNode = spec.Topology.AcceleratorsPerNode;
        var parallel = spec.Topology.TensorParallel ?? Math.Min(Preset(spec)?.TensorParallel ?? 1, perNode);
        var given = spec.Topology.TensorParallel is null ? $"{parallel} (the preset's)" : $"{parallel}";
        if (perNode % parallel != 0) yield return new("spec.topology.tensorParallel", given, $"must divide acceleratorsPerNode {perNode}");
        var heads = Preset(spec)?.Dimensions.Heads ?? spec.Model.Heads!.Value;
        var data = spec.Topology.Nodes * perNode / parallel;
        if (spec.Topology.DataParallelShard is { } shard && data % shard != 0) yield return new("spec.topology.dataParallelShard", $"{shard}", $"must divide the {data} data-parallel ranks");
        if (heads % parallel != 0) yield return new("spec.topology.tensorParallel", given, $"must divide the {heads} attention heads");
        var ffn = Preset(spec)?.Dimensions.FfnSize ?? spec.Model.FfnSize ?? 4 * spec.Model.HiddenSize ?? parallel;
        if (ffn % parallel != 0) yield return new("spec.topology.tensorParallel", given, $"must divide the feed-forward width {ffn}");
        var vocabulary = Preset(spec)?.Dimensions.VocabSize ?? spec.Model.VocabSize ?? ModelPreset.VocabSize;
        if (vocabulary % parallel != 0) yield return new("spec.topology.tensorParallel", given, $"must divide the vocabulary {vocabulary}");
        if (parallel > 1 && Preset(spec)?.Dimensions is { } d && d.EmbeddingSize != d.HiddenSize) yield return new("spec.topology.tensorParallel", given, $"must be 1 for {spec.Model.Preset}: its embedding has a width of its own");
    }

    private static IEnumerable<SpecFault> Batch(OptTrainingJobSpec spec)
    {
        var longest = Preset(spec)?.Dimensions.MaxPositions ?? spec.Model.MaxPositions ?? ModelPreset.SequenceLength;
        var length = spec.Training.SequenceLength ?? longest;
        if (length > longest) yield return new("spec.training.sequenceLength", $"{length}", $"must be at most the model's maxPositions {longest}");
        if ((spec.Training.BatchTokens ?? Preset(spec)?.BatchTokens) is not { } tokens) yield break;
        if (tokens % length != 0) yield return new("spec.training.batchTokens", $"{tokens}", $"must be a multiple of the sequence length {length}");
        else if (tokens / length > int.MaxValue) yield return new("spec.training.batchTokens", $"{tokens}", $"must be at most {int.MaxValue} sequences of {length} tokens");
    }

    private static IEnumerable<SpecFault> Schedule(LearningRateSpec rate)
    {
        if (rate.Warmup is { } warmup && warmup.Steps is null == warmup.Tokens is null) yield return new("spec.training.learningRate.warmup", Shown(warmup.Steps, warmup.Tokens), "give exactly one of steps and tokens");
        if (rate.Decay is { Steps: { } steps, Tokens: { } tokens }) yield return new("spec.training.learningRate.decay", Shown(steps, tokens), "give at most one of steps and tokens");
    }

    private static string Shown(long? steps, long? tokens) => steps is null && tokens is null ? "{}" : $"{{steps: {steps}, tokens: {tokens}}}";

    private static IEnumerable<SpecFault> Checkpoint(CheckpointSpec checkpoint)
    {
        var store = checkpoint.Store;
        if (store.AzureBlob is null == store.Directory is null) yield return new("spec.checkpoint.store", store.AzureBlob is null ? "{}" : "{azureBlob, directory}", "give exactly one of azureBlob and directory");
        foreach (var fault in Interval(checkpoint.Every, "spec.checkpoint.every")) yield return fault;
        if (checkpoint.Memory is { } memory) foreach (var fault in Interval(memory.Every, "spec.checkpoint.memory.every")) yield return fault;
        if (checkpoint.Upload is { } upload && (upload.AtMost < TimeSpan.FromSeconds(1) || upload.AtMost > TimeSpan.FromDays(1))) yield return new("spec.checkpoint.upload.atMost", DurationConverter.Format(upload.AtMost), "must be at least 1s and at most 24h");
        if (checkpoint.HealthyWhen.NormDrift is > 0 and <= 1 and var drift) yield return new("spec.checkpoint.healthyWhen.normDrift", $"{drift}", "must be above 1, or 0 for none");
    }

    private static IEnumerable<SpecFault> Interval(CheckpointInterval every, string path)
    {
        if (every is { Steps: not null, Minutes: not null }) yield return new(path, "{steps, minutes}", "use auto, {steps: n} or {minutes: n}");
        if (every.Steps is < 1) yield return new($"{path}.steps", $"{every.Steps}", "must be at least 1");
        if (every.Minutes is { } minutes && !(minutes is > 0 and <= 1440)) yield return new($"{path}.minutes", $"{minutes}", "must be above 0 and at most 1440");
    }

    private static IEnumerable<SpecFault> Data(DataSpec data)
    {
        var all = data.Train.Select((c, i) => (Corpus: c, Path: $"spec.data.train[{i}].path")).Concat(data.Validation.Select((c, i) => (Corpus: c, Path: $"spec.data.validation[{i}].path"))).ToArray();
        foreach (var (corpus, path) in all.Where(c => c.Corpus.Path.Split('/').Contains(".."))) yield return new(path, $"\"{corpus.Path}\"", "must stay below the data root: no '..'");
        foreach (var group in all.Where(c => c.Path.StartsWith("spec.data.train", StringComparison.Ordinal)).GroupBy(c => c.Corpus.Path).Where(g => g.Count() > 1))
        {
            yield return new(group.Last().Path, $"\"{group.Key}\"", "must be given once; use weight to read it more often");
        }
    }

    private static IEnumerable<SpecFault> Policy(FailurePolicySpec policy)
    {
        var durations = new (string Name, TimeSpan Value)[]
        {
            ("relaunchInPlace.window", policy.RelaunchInPlace.Window), ("replaceNode.window", policy.ReplaceNode.Window), ("hangAtLeast", policy.HangAtLeast),
            ("launchDeadline", policy.LaunchDeadline), ("agentSilence", policy.AgentSilence), ("provisionDeadline", policy.ProvisionDeadline),
            ("leaveNode.window", policy.LeaveNode.Window), ("quarantineFor", policy.QuarantineFor), ("straggler.window", policy.Straggler.Window), ("slowdown.window", policy.Slowdown.Window),
        };
        foreach (var (name, value) in durations.Where(d => d.Value < TimeSpan.FromSeconds(1))) yield return new($"spec.failurePolicy.{name}", DurationConverter.Format(value), "must be at least 1s");
        if (policy.RelaunchInPlace.Mode is PolicyMode.Shadow) yield return new("spec.failurePolicy.relaunchInPlace.mode", "Shadow", "must be Enforce: no action is cheaper; managementState: Unmanaged watches without acting");
    }

    private static ModelPreset? Preset(OptTrainingJobSpec spec) => spec.Model.Preset is { } name ? ModelPreset.Find(name) : null;
}

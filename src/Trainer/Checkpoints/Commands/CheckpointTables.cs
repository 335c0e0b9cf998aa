using System.Globalization;
using Opt.Api.V1Alpha1;
using Spectre.Console;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary>Checkpoints as people read them.</summary>
internal static class CheckpointTables
{
    public static Table List(LogState state)
    {
        var table = new Table().Border(TableBorder.Minimal);
        foreach (var column in new[] { "step", "tokens", "epoch", "entry", "size", "committed", "health", "tiers", "" }) table.AddColumn(column);
        foreach (var right in new[] { 0, 1, 2, 3, 4 }) table.Columns[right].RightAligned();
        foreach (var checkpoint in state.Checkpoints.Values.Reverse())
        {
            table.AddRow(
                Text(checkpoint.Commit.Step), Text(checkpoint.Commit.Tokens), Text(checkpoint.Epoch), $"#{Text(checkpoint.Entry)}", Size(checkpoint.Commit.Bytes),
                checkpoint.At.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture), Verdict(checkpoint), string.Join(", ", checkpoint.ToSummary().Tiers!.Select(c => c.ToString().ToLowerInvariant())), checkpoint.Pinned ? "pinned" : "");
        }

        return table;
    }

    public static Table Show(KnownCheckpoint checkpoint, Manifest manifest)
    {
        var table = new Table().Border(TableBorder.None).HideHeaders().AddColumns("", "");
        foreach (var (name, value) in Facts(checkpoint, manifest)) table.AddRow(Markup.Escape(name), Markup.Escape(value));
        return table;
    }

    /// <summary>Bytes with a binary unit.</summary>
    public static string Size(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        var (value, unit) = ((double)bytes, 0);
        for (; value >= 1024 && unit < units.Length - 1; unit++) value /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {units[unit]}");
    }

    private static IEnumerable<(string, string)> Facts(KnownCheckpoint checkpoint, Manifest manifest) =>
    [
        ("step", Text(checkpoint.Commit.Step)),
        ("attempt", Text(checkpoint.Commit.Attempt)),
        ("samples", Text(checkpoint.Commit.Samples)),
        ("tokens", Text(checkpoint.Commit.Tokens)),
        ("epoch", Text(checkpoint.Epoch)),
        ("lineage", manifest.State.Lineage),
        ("log entry", $"#{Text(checkpoint.Entry)}"),
        ("health", $"{checkpoint.Verdict}{(checkpoint.Reason.Length > 0 ? $": {checkpoint.Reason}" : "")}"),
        .. Trends(checkpoint.Commit.Trends),
        ("pinned", checkpoint.Pinned ? "yes" : "no"),
        ("committed", checkpoint.At.ToString("u", CultureInfo.InvariantCulture)),
        ("path", checkpoint.Commit.Path),
        ("manifest", checkpoint.Commit.ManifestDigest),
        ("model", string.Create(CultureInfo.InvariantCulture, $"{manifest.Model.Layers} layers, width {manifest.Model.HiddenSize}, {manifest.Model.Heads} heads, {manifest.Model.ParameterCount} parameters")),
        ("world", string.Create(CultureInfo.InvariantCulture, $"{manifest.WorldSize} ranks, tensor parallel {manifest.TensorParallelSize}")),
        ("state", string.Join(", ", manifest.Slots)),
        ("objects", string.Create(CultureInfo.InvariantCulture, $"{manifest.Objects.Count}, {Size(manifest.Bytes)}")),
        ("loss scale", manifest.State.Scaler?.Scale.ToString(CultureInfo.InvariantCulture) ?? "none"),
        ("peak learning rate", manifest.State.HyperParameters.PeakLearningRate.ToString(CultureInfo.InvariantCulture)),
        ("written by", manifest.Software),
        ("job", manifest.JobUid),
    ];

    private static (string, string)[] Trends(HealthTrends? trends) => trends is null ? [] : [("loss", Trend(trends.Loss)), ("gradient norm", Trend(trends.GradientNorm)), ("activation norm", Trend(trends.ActivationNorm))];

    private static string Trend(SignalTrend trend) => trend.Now == 0 ? "unknown" : string.Create(CultureInfo.InvariantCulture,
        $"{trend.Now:0.####} at the save{(trend.Usual == 0 ? "" : $", usually {trend.Usual:0.####} before")}{(trend.Growth == 0 ? "" : $", {trend.Growth:0.###} times as much as at the window's beginning")}");

    private static string Verdict(KnownCheckpoint checkpoint) => checkpoint.Verdict switch
    {
        HealthVerdict.Healthy => "[green]healthy[/]",
        HealthVerdict.Condemned => $"[red]condemned[/]: {Markup.Escape(checkpoint.Reason)}",
        _ => "pending",
    };

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}

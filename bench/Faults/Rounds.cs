using System.Text.Json.Nodes;

namespace Opt.Bench.Faults;

/// <summary>The rounds of one fault, a line each in a file: measuring goes on where it stopped, and the figures are those of all rounds.</summary>
internal sealed class Rounds : IDisposable
{
    private readonly string _file;
    private readonly int _wanted;
    private readonly List<JsonArray> _done = [];

    /// <param name="file">Read and appended to.</param>
    /// <param name="wanted">How many rounds there shall be, those in the file included.</param>
    public Rounds(string file, int wanted)
    {
        (_file, _wanted) = (file, wanted);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        if (File.Exists(file)) _done.AddRange(File.ReadLines(file).Select(line => JsonNode.Parse(line)!.AsArray()));
    }

    public int Done => _done.Count;

    public bool AreDone => _done.Count >= _wanted;

    /// <summary>Keeps what one round showed and says it; a figure that the round could not show (NaN) is left out.</summary>
    public void Add(params (string Name, string Unit, double Value)[] figures)
    {
        var round = new JsonArray([.. figures.Where(f => double.IsFinite(f.Value)).Select(f => new JsonObject { ["name"] = f.Name, ["unit"] = f.Unit, ["value"] = Math.Round(f.Value, 4) })]);
        File.AppendAllText(_file, round.ToJsonString() + "\n");
        _done.Add(round);
        Console.Error.WriteLine($"{Done}/{_wanted} {string.Join(", ", figures.Select(f => FormattableString.Invariant($"{f.Name}: {f.Value:0.##} {f.Unit}")))}");
    }

    /// <summary>Prints the figures, however the measuring ended.</summary>
    public void Dispose()
    {
        var figures = _done.SelectMany(round => round).Select(f => (Name: (string)f!["name"]!, Unit: (string)f["unit"]!, Value: (double)f["value"]!));
        foreach (var figure in figures.GroupBy(f => (f.Name, f.Unit))) Figures.Print(figure.Key.Name, figure.Key.Unit, [.. figure.Select(f => f.Value)]);
    }
}

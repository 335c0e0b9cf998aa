using System.CommandLine;
using System.Globalization;
using Opt.Trainer.Data;

namespace Opt.Trainer.Cli;

/// <summary><c>opt-trainer stage</c>: brings corpora to a node's own disk, for an init container.</summary>
internal static class StageCommand
{
    public static Command Create()
    {
        var names = new Argument<string[]>("corpora") { Description = "Corpora: paths without extension, below both folders", Arity = ArgumentArity.OneOrMore };
        var from = new Option<DirectoryInfo>("--from") { Description = "Folder that holds them", Required = true };
        var to = new Option<DirectoryInfo>("--to") { Description = "Folder to bring them to", Required = true };
        var command = new Command("stage", "Copy corpora to another folder, verified by digest; what is there already is left alone") { names, from, to };
        command.SetAction((r, ct) => RunAsync(r.GetValue(names)!, r.GetValue(from)!.FullName, r.GetValue(to)!.FullName, ct));
        return command;
    }

    private static async Task<int> RunAsync(string[] names, string from, string to, CancellationToken ct)
    {
        foreach (var name in names)
        {
            var bytes = await CorpusFolder.StageAsync(from, to, name, ct);
            Console.WriteLine(bytes == 0 ? $"{name}: is there" : string.Create(CultureInfo.InvariantCulture, $"{name}: {bytes:N0} bytes copied and verified"));
        }

        return 0;
    }
}

namespace Opt.KubectlOpt.Cli;

/// <summary>What a command writes to and reads the time from.</summary>
/// <param name="IsInteractive">Output is a terminal, which can be redrawn.</param>
internal sealed record Terminal(TextWriter Out, TextWriter Error, bool IsInteractive, TimeProvider Clock)
{
    /// <summary>Columns that a line may have; null for a file or a pipe, where nothing is wrapped.</summary>
    public int? Width { get; init; }

    public static Terminal Real => new(Console.Out, Console.Error, !Console.IsOutputRedirected, TimeProvider.System) { Width = Console.IsOutputRedirected || Console.WindowWidth <= 0 ? null : Console.WindowWidth };

    /// <summary>Replaces what was drawn before, by the control sequences every terminal knows.</summary>
    public void Redraw(string text)
    {
        if (IsInteractive) Out.Write("\u001b[H\u001b[2J");
        Out.Write(text);
        Out.Flush();
    }
}

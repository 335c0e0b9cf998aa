using System.Diagnostics;

namespace Opt.Torch.Tests;

/// <summary>This test program once more, in a process of its own: by dotnet, or as the executable that a self-contained publish is.</summary>
internal static class Self
{
    public static ProcessStartInfo Again(params ReadOnlySpan<string> arguments)
    {
        var program = Environment.ProcessPath!;
        string[] library = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(Self).Assembly.Location] : [];
        return new(program, [.. library, .. arguments]);
    }
}
